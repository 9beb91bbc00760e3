import type { OperationRecord } from '../../../engine/ledger/operation-record.ts';
import type { MessageCanceller } from '../../../engine/pipeline/message-canceller.ts';
import type { RequestOperator } from '../request.ts';
import { AppError } from '../../../kernel/app-error.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { newId, type Uuid } from '../../../kernel/ids.ts';
import { requestErrors } from '../request-errors.ts';
import type { RequestEndLedger } from './end-ledger.ts';
import type { EndRecorder } from './end-recorder.ts';

const sliceSize = 200;
/** A row that somebody is about to change is come back to this often at once; then the maintenance role does. */
const rounds = 20;
const roundPauseMs = 25;

export interface RequestCancellerOptions {
  readonly ledger: RequestEndLedger;
  readonly recorder: Pick<EndRecorder, 'record'>;
  readonly canceller: Pick<MessageCanceller, 'cancel'>;
  readonly clock: Clock;
}

/**
 * Cancels requests: what waits never runs, what runs is aborted within a second, in whichever process. That it is wanted is durable first, so that
 * whoever dies midway leaves it to the maintenance role. The end is recorded when the last call of it is settled.
 */
export class RequestCanceller {
  readonly #options: RequestCancellerOptions;

  constructor(options: RequestCancellerOptions) {
    this.#options = options;
  }

  /**
   * Cancels the request; once more changes nothing. Throws MILLRACE_REQUEST_NOT_FOUND, and MILLRACE_REQUEST_ENDED for one that is completed or has
   * failed.
   */
  async cancel(id: string, reason: string, operator: RequestOperator): Promise<void> {
    const state = await this.#options.ledger.askCancel(id, operator);
    if (state === undefined)
      throw new AppError(
        requestErrors.MILLRACE_REQUEST_NOT_FOUND,
        'There is no such request, or it is not for this API key.',
      );
    if (state === 'completed' || state === 'failed')
      throw new AppError(
        requestErrors.MILLRACE_REQUEST_ENDED,
        `The request has ended already: it is ${state}.`,
      );
    if (state === 'queued') await this.cancelMessages(id, { reason, ...operator });
  }

  /** Cancels what is open of a request that is to be cancelled, and records its end when no call of it is under way. */
  async cancelMessages(
    id: Uuid,
    { actor, team, reason }: RequestOperator & { readonly reason: string },
  ): Promise<void> {
    const { ledger, recorder, canceller, clock } = this.#options;
    const detail = { request: id, ...(team === undefined ? {} : { team }) };
    const record: OperationRecord = {
      id: newId(clock.now()),
      actor,
      reason,
      target: `request ${id}`,
      detail,
    };
    for (let round = 0; round < rounds; round += 1) {
      const open = await ledger.listOpenMessages(id, sliceSize);
      if (open.length === 0) break;
      const cancelled = await canceller.cancel(open, record);
      if (cancelled.length === 0) await clock.sleep(roundPauseMs);
    }
    await recorder.record(await ledger.findEndedAmong([id]));
  }
}
