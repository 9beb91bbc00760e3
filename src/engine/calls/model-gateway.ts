import { invariant } from '../../kernel/invariant.ts';
import { CallScope, type CallServices, type ScopeOptions } from './call-scope.ts';
import type { CallFacts } from './usage-record-of-call.ts';

export type { CallScope };

/** Where metered models come from: one scope for each run of a handler, or for work outside a stage. */
export class ModelGateway {
  readonly #services: CallServices;

  constructor(services: CallServices) {
    this.#services = services;
  }

  /** Opens a scope. Whoever opens it closes it, also when its work failed. */
  openScope(options: ScopeOptions): CallScope {
    invariant(
      options.journal === undefined || options.message !== undefined,
      'a journal belongs to a message',
    );
    return new CallScope(this.#services, options);
  }

  /** Aborts each call in the air for which there is a reason. Its handler sees the reason as the error's cause. */
  abortCalls(reasonFor: (call: CallFacts) => Error | undefined): void {
    for (const call of this.#services.inAir) {
      const reason = reasonFor(call.facts);
      if (reason !== undefined) call.abort(reason);
    }
  }
}
