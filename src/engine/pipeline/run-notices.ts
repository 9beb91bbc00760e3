import type { Clock } from '../../kernel/clock.ts';
import { GroupCommit } from '../../kernel/group-commit.ts';
import type { Uuid } from '../../kernel/ids.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Joins, LetGo } from '../ledger/joins.ts';
import type { StageBacklog } from '../ledger/stage-backlog.ts';
import type { EndedMessages } from './ended-messages.ts';
import type { Publisher } from './publisher.ts';
import type { Run } from './run.ts';

export interface RunNoticesOptions {
  readonly publisher: Publisher;
  readonly backlog: StageBacklog;
  readonly joins: Pick<Joins, 'letGo'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called for every message that has ended here. */
  readonly ends?: EndedMessages | undefined;
  /** Called for every message that is put aside for a time. */
  readonly onParked?: ((stage: string, delayMs: number) => void) | undefined;
}

/** Tells those whom it concerns what happened to a run, after that is durable. Nothing depends on their hearing it. */
export class RunNotices {
  readonly #options: RunNoticesOptions;

  /** What is asked at the same time is one question. As many may wait as there are runs. */
  readonly #letGo: GroupCommit<Uuid, readonly LetGo[]>;

  constructor(options: RunNoticesOptions) {
    this.#options = options;
    const { joins, clock } = options;
    this.#letGo = new GroupCommit({
      name: 'list_let_go',
      clock,
      maxGroup: 400,
      flush: async (branches) => {
        const all = await joins.letGo([...new Set(branches)]);
        // Each of them is told of once.
        return branches.map((_, index) => (index === 0 ? all : []));
      },
    });
  }

  /** The message has ended: the next of its key may go, and what waited for its branch. */
  async ended({ message: { envelope, orderKey, branchId } }: Run): Promise<void> {
    const { backlog, ends, publisher } = this.#options;
    backlog.ended(envelope.stage);
    ends?.tell(envelope);
    if (orderKey !== undefined) publisher.notify(envelope.stage, envelope.id);
    if (branchId !== undefined) await this.#tellJoined(branchId);
  }

  async #tellJoined(branchId: Uuid): Promise<void> {
    const { publisher, logger } = this.#options;
    try {
      for (const { id, stage } of await this.#letGo.submit(branchId)) publisher.notify(stage, id);
    } catch (error) {
      // The messages are due in the ledger: the sweeper finds their stages.
      logger.warn({ error, branchId }, 'a stage was not told of a message whose join was released');
    }
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
