import type { SqlExecutor } from '../../drivers/sql-database/sql-database.ts';
import type { Clock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import { invariant } from '../../kernel/invariant.ts';
import type { Origin } from '../../messages/origin.ts';
import type { RecordedCall } from '../ledger/call-ledger.ts';
import type { CallDeferring } from './call-deferring.ts';
import type { CallObserver } from './call-observer.ts';
import type { OwningMessage } from './call-maker.ts';
import { CallGroup } from './call-group.ts';
import type { CallsInAir } from './calls-in-air.ts';
import type { DeferredOutcome } from './deferred-settler.ts';
import { GivenAnswers, type InvalidationServices } from './given-answers.ts';
import type { MicroBatches } from './micro-batches.ts';
import type { ModelDirectory } from './model-directory.ts';
import { RecordedAnswers, type RecordedAnswersServices } from './recorded-answers.ts';
import type { AttributedCall } from '../ledger/attributed-call.ts';

export type { CallGroup };

/** What the scopes of a process share. */
export interface CallServices {
  readonly models: ModelDirectory;
  readonly deferring: CallDeferring;
  readonly inAir: CallsInAir;
  readonly microBatches: MicroBatches;
  readonly recorded: RecordedAnswersServices & InvalidationServices;
  readonly clock: Clock;
}

export interface ScopeOptions {
  /** Who caused the calls. */
  readonly origin: Origin;
  /** The message that they are made for; absent outside a stage. */
  readonly message?: OwningMessage;
  /** Aborts every request of the scope: the end of the lease. */
  readonly signal: AbortSignal;
  /** The calls that were made for the message before, when they are known already. */
  readonly journal?: readonly RecordedCall[];
  /** Who follows the calls while they are made. */
  readonly observer?: CallObserver | undefined;
}

/** Where metered models come from: one scope for each run of a handler, or for work outside a stage. */
export class MeteredModels {
  readonly #services: CallServices;

  constructor(services: CallServices) {
    this.#services = services;
  }

  /** Opens a scope. Whoever opens it closes it, also when its work failed. */
  openScope({ origin, message, signal, journal, observer }: ScopeOptions): CallGroup {
    invariant(journal === undefined || message !== undefined, 'a journal belongs to a message');
    const { models, deferring, inAir, microBatches, recorded, clock } = this.#services;
    const owner = { origin, message };
    const idRoot = message === undefined ? newId(clock.now()) : `${message.id}/${message.fencingToken}`;
    return new CallGroup({
      models,
      deferring,
      inAir,
      microBatches,
      maker: { owner, idRoot, signal, observer },
      given: new GivenAnswers(recorded, owner),
      recorded: new RecordedAnswers(recorded, owner, journal),
    });
  }

  /**
   * Settles calls that were put off, in a transaction of whoever kept them; those that are not open any more stay as they are. What it
   * answers is to be called when the transaction is committed.
   */
  async settleDeferred(transaction: SqlExecutor, outcomes: readonly DeferredOutcome[]): Promise<() => void> {
    return await this.#services.deferring.settle(transaction, outcomes);
  }

  /** Aborts each call under way for which there is a reason. Its handler sees the reason as the error's cause. */
  abortCalls(reasonFor: (call: AttributedCall) => Error | undefined): void {
    this.#services.inAir.abort(reasonFor);
  }
}
