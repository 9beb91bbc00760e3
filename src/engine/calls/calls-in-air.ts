import type { Clock } from '../../kernel/clock.ts';
import type { CallInFlight } from './call-in-flight.ts';
import type { CallSettler } from './call-settler.ts';
import { MeteredCall, type MeteredCallOptions } from './metered-call.ts';
import type { AttributedCall } from '../ledger/attributed-call.ts';

/** Every call of this process that is under way. */
export class CallsInAir {
  readonly #settler: CallSettler;
  readonly #clock: Clock;
  readonly #calls = new Set<MeteredCall>();

  constructor(settler: CallSettler, clock: Clock) {
    this.#settler = settler;
    this.#clock = clock;
  }

  /** Begins a call that was reserved. */
  begin(
    inFlight: CallInFlight,
    { userSignal, onSettled, onEnd }: Pick<MeteredCallOptions, 'userSignal' | 'onSettled' | 'onEnd'>,
  ): MeteredCall {
    const call = new MeteredCall({
      call: inFlight,
      settler: this.#settler,
      clock: this.#clock,
      userSignal,
      onSettled,
      onEnd: (ended) => {
        this.#calls.delete(ended);
        onEnd(ended);
      },
    });
    this.#calls.add(call);
    return call;
  }

  /** Aborts each for which there is a reason. Its handler sees the reason as the error's cause. */
  abort(reasonFor: (call: AttributedCall) => Error | undefined): void {
    for (const call of this.#calls) {
      const reason = reasonFor(call.facts);
      if (reason !== undefined) call.abort(reason);
    }
  }
}
