import type { StartTimes } from '../ledger/start-times.ts';
import type { Publisher } from '../pipeline/publisher.ts';

export interface MessageStartsOptions {
  readonly starts: StartTimes;
  readonly publisher: Pick<Publisher, 'notify'>;
}

const sliceSize = 500;

/**
 * Starts messages whose time has come. A process that dies before it has notified their stages leaves that to the sweeper, which finds
 * stages with due messages and an empty queue.
 */
export class MessageStarts {
  readonly #options: MessageStartsOptions;

  constructor(options: MessageStartsOptions) {
    this.#options = options;
  }

  /** One look. True when there is more to start at once. */
  async startDue(): Promise<boolean> {
    const { starts, publisher } = this.#options;
    const started = await starts.startDue(sliceSize);
    for (const { stage, id } of started) publisher.notify(stage, id);
    return started.length === sliceSize;
  }
}
