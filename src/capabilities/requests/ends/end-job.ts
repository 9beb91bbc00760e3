import type { Uuid } from '../../../kernel/ids.ts';
import type { EndRecorder } from './end-recorder.ts';
import type { RequestEndLedger } from './end-ledger.ts';
import type { RequestCanceller } from './request-canceller.ts';

/** Open requests that one turn looks at, and ended ones that it takes. */
const looks = 1000;
const maxEnded = 200;
const maxCancelling = 100;
/** With fewer, the next turn waits: what it costs to look is the same for one as for many. */
const worthAnotherTurn = 50;
const firstId: Uuid = '00000000-0000-0000-0000-000000000000';

export interface EndJobOptions {
  readonly ledger: RequestEndLedger;
  readonly recorder: Pick<EndRecorder, 'record'>;
  readonly canceller: Pick<RequestCanceller, 'cancelMessages'>;
}

/**
 * Finds what no process has recorded at once: it died, or the last message ended by an operator, a sweep, or the end of a call that outlived it. A turn
 * looks at a bounded number of open requests, where the one before left off.
 */
export class EndJob {
  readonly #options: EndJobOptions;
  #after: Uuid = firstId;

  constructor(options: EndJobOptions) {
    this.#options = options;
  }

  /** One turn; true when there is more to do at once. */
  async turn(): Promise<boolean> {
    const { ledger, recorder } = this.#options;
    await this.#cancel();
    const { requests, next } = await ledger.findEnded(this.#after, { looks, limit: maxEnded });
    this.#after = next ?? firstId;
    await recorder.record(requests);
    return requests.length >= worthAnotherTurn;
  }

  /** What somebody who died was cancelling, or what began meanwhile; and the ends of what has been cancelled. */
  async #cancel(): Promise<void> {
    const { ledger, recorder, canceller } = this.#options;
    const cancelling = await ledger.listCancelling(maxCancelling);
    if (cancelling.length === 0) return;
    for (const { id, hasOpen } of cancelling)
      if (hasOpen)
        await canceller.cancelMessages(id, {
          actor: 'millrace:requests',
          reason: 'Its request was cancelled.',
        });
    await recorder.record(await ledger.findEndedAmong(cancelling.map(({ id }) => id)));
  }
}
