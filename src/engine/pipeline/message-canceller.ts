import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Uuid } from '../../kernel/ids.ts';
import type { MessageCancellations, SteeredMessage } from '../ledger/message-cancellations.ts';
import type { OperationRecord } from '../ledger/operation-record.ts';
import type { LeasedMessage } from '../ledger/stored-message.ts';
import type { EngineMetrics } from '../metrics/engine-metrics.ts';
import type { Publisher } from './publisher.ts';
import { failureDetail, outcomeLine } from './run-outcome.ts';

export interface MessageCancellerOptions {
  readonly ledger: MessageCancellations;
  /** Notifies the stages; without one the sweeper does, some seconds later. */
  readonly publisher?: Pick<Publisher, 'notify'>;
  readonly metrics: EngineMetrics;
  readonly clock: Clock;
}

/** Ends open messages for good, each with its record for the column store. */
export class MessageCanceller {
  readonly #options: MessageCancellerOptions;

  constructor(options: MessageCancellerOptions) {
    this.#options = options;
  }

  /** Which of them are open. */
  async openAmong(ids: readonly Uuid[]): Promise<readonly Uuid[]> {
    const open = await this.#options.ledger.readOpen(ids);
    return open.map(({ message }) => message.envelope.id);
  }

  /** One try. Those whose rows somebody is about to change are not among the answer: come back to them. */
  async cancel(ids: readonly Uuid[], record: OperationRecord): Promise<readonly SteeredMessage[]> {
    const { ledger, publisher, metrics } = this.#options;
    const open = await ledger.readOpen(ids);
    const cancelled = await ledger.cancel(
      open.map(({ message, state }) => ({
        id: message.envelope.id,
        fencingToken: message.fencingToken,
        outcomeLine: this.#outcomeOf(message, state === 'leased'),
      })),
      record,
      failureDetail(
        new AppError(
          'MILLRACE_MESSAGE_CANCELLED',
          `Cancelled by ${record.actor}: ${record.reason} (operation ${record.id})`,
        ),
      ),
    );
    for (const message of cancelled) {
      const { owner, stage, orderKey } = message;
      metrics.increment('stage_messages_total', { owner, stage, outcome: 'skipped' });
      // The next of its key may go on.
      if (orderKey !== undefined) publisher?.notify(stage, message.id);
    }
    return cancelled;
  }

  #outcomeOf(message: LeasedMessage, isRunning: boolean): string {
    const endedAt = this.#options.clock.now();
    // A run in progress counts as one more time that the handler ran, one that never began does not.
    const attempts = isRunning ? message.attempts : message.attempts - 1;
    return outcomeLine({
      message: { ...message, attempts },
      outcome: 'cancelled',
      errorCode: 'MILLRACE_MESSAGE_CANCELLED',
      endedAt,
      leasedAt: endedAt,
      durationMs: 0,
    });
  }
}
