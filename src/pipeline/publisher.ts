import type { Queue, WakeUp } from '../drivers/queue/queue.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Uuid } from '../kernel/ids.ts';
import { GroupCommit } from '../kernel/group-commit.ts';
import type { Origin } from '../messages/origin.ts';
import type { Logger } from '../telemetry/logger.ts';
import { LogOnce } from '../telemetry/log-once.ts';
import type { MillraceMetrics } from '../telemetry/metrics.ts';
import type { Bounds } from '../telemetry/bounds.ts';

/** What a wake-up call says about a message. */
export interface Publishable {
  readonly id: Uuid;
  readonly stage: string;
  readonly owner: string;
  readonly lane: string;
  readonly origin: Origin;
  readonly traceParent: string;
}

export interface PublisherOptions {
  readonly queues: { queue(name: string): Pick<Queue, 'add'> };
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: MillraceMetrics;
  readonly bounds?: Bounds;
}

const maxWaiting = 20_000;

/**
 * Wakes stages after a commit. Nobody waits for it and nothing depends on it: what it could not tell the queue, the
 * sweeper tells later. Wake-ups of a queue share round trips, and at most 20,000 wait per queue; past that they are
 * left to the sweeper.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #groups = new Map<string, GroupCommit<WakeUp, true>>();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #complaints = new LogOnce();
  readonly #takers = new Map<string, (wakeUp: WakeUp) => boolean>();

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /**
   * From now on this process is asked first whether it takes a stage's wake-up calls itself: what it takes need not go
   * through the queue. Should it die on it, the sweeper finds the message as it finds every other.
   */
  takeLocally(stage: string, taker: (wakeUp: WakeUp) => boolean): void {
    this.#takers.set(stage, taker);
  }

  /** A message that was just written for its stage. */
  enqueued(message: Publishable, fence: number): void {
    const { owner, stage } = message;
    this.#options.metrics.increment('stage_enqueued_total', { owner, stage });
    this.wake(message, fence, 0);
  }

  /** Wakes the stage for a message, now or after a delay. `fence` tells calls for different leases apart. */
  wake(message: Omit<Publishable, 'owner'>, fence: number, delayMs: number): void {
    const { id, lane, origin, traceParent, stage } = message;
    const wakeUp = { messageId: id, fence, lane, origin, traceParent, delayMs };
    if (delayMs <= 0 && this.#takers.get(stage)?.(wakeUp) === true) return;
    this.#submit(stage, wakeUp);
  }

  /** Answers a wake-up call that came too early with another one, when the message is due. */
  wakeLater(stage: string, wakeUp: WakeUp, delayMs: number): void {
    // The job in hand still has the present id; the next one needs another.
    this.#submit(stage, { ...wakeUp, fence: wakeUp.fence + 1, delayMs });
  }

  #submit(stage: string, wakeUp: WakeUp): void {
    const published = this.#groupOf(stage)
      .submit(wakeUp)
      .catch((error: unknown) => {
        // The message is safe in the ledger; the sweeper will find it unseen.
        if (this.#complaints.isNew(stage)) {
          this.#options.logger.warn(
            { error, stage },
            'the queue cannot be told of messages; the sweeper will',
          );
        }
      })
      .finally(() => this.#underWay.delete(published));
    this.#underWay.add(published);
  }

  /** Resolves when all that was to be told has been told, or has failed. */
  async drain(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  #groupOf(stage: string): GroupCommit<WakeUp, true> {
    const known = this.#groups.get(stage);
    if (known !== undefined) return known;
    const queue = this.#options.queues.queue(stage);
    const group = new GroupCommit<WakeUp, true>({
      name: `publish ${stage}`,
      clock: this.#options.clock,
      maxGroup: 500,
      maxWaiting,
      flush: async (wakeUps) => {
        await queue.add(wakeUps);
        return wakeUps.map(() => true as const);
      },
    });
    this.#groups.set(stage, group);
    this.#options.bounds?.register('publisher', group);
    return group;
  }
}
