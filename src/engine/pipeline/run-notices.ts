import type { StageBacklog } from '../ledger/stage-backlog.ts';
import type { EndedMessages } from './ended-messages.ts';
import type { Publisher } from './publisher.ts';
import type { Run } from './run.ts';

export interface RunNoticesOptions {
  readonly publisher: Publisher;
  readonly backlog: StageBacklog;
  /** Called for every message that has ended here. */
  readonly ends?: EndedMessages | undefined;
  /** Called for every message that is put aside for a time. */
  readonly onParked?: ((stage: string, delayMs: number) => void) | undefined;
}

/** Tells those whom it concerns what happened to a run, after that is durable. Nothing depends on their hearing it. */
export class RunNotices {
  readonly #options: RunNoticesOptions;

  constructor(options: RunNoticesOptions) {
    this.#options = options;
  }

  /** The message has ended: the next of its key may go. */
  ended({ message: { envelope, orderKey } }: Run): void {
    const { backlog, ends, publisher } = this.#options;
    backlog.ended(envelope.stage);
    ends?.tell(envelope);
    if (orderKey !== undefined) publisher.notify(envelope.stage, envelope.id);
  }

  /** The message is due again after the delay. */
  due({ message: { envelope } }: Run, delayMs = 0): void {
    this.#options.publisher.notify(envelope.stage, envelope.id, delayMs);
  }

  /** The message was put aside for a time. */
  parked(run: Run, delayMs: number): void {
    this.#options.onParked?.(run.message.envelope.stage, delayMs);
    this.due(run, delayMs);
  }
}
