import type { QueueDriver } from '../drivers/queue/queue.ts';
import type { Clock } from '../kernel/clock.ts';
import type { OverdueMessage, SweepLedger } from '../ledger/sweep-ledger.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from '../telemetry/metrics.ts';
import type { Publisher } from './publisher.ts';
import type { StageRegistry } from './stage-registry.ts';

/*
 * Finds what the queue forgot: messages that were never published (the process died after its commit), whose worker
 * died (the lease ran out), or whose jobs went with the queue's store (FLUSHALL, a new Redis). The ledger alone says
 * what is open; telling the queue twice does no harm.
 *
 * A message that goes unseen is looked at less and less often, since a long backlog is no loss. But tokens are alike: as
 * long as a stage's queue has some, all of its messages are served in their turn. So a stage that has due messages and an
 * empty queue has lost tokens, however long those messages have been waiting, and gets new ones soon.
 */

export interface SweeperOptions {
  readonly ledger: SweepLedger;
  readonly queues: QueueDriver;
  readonly publisher: Publisher;
  readonly registry: StageRegistry;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: MillraceMetrics;
}

const sliceSize = 500;
/** How often stages without tokens are looked for, and how long their messages must have been due: a token takes a moment. */
const topUpEveryMs = 2000;
const topUpAfterMs = 5000;
/** The most tokens that one stage gets at a time; when they are used up it gets more. */
const topUpSize = 1000;
const firstId = '00000000-0000-0000-0000-000000000000';

export class Sweeper {
  readonly #options: SweeperOptions;
  #toppedUpMs = -Infinity;
  #topUps = 0;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  /** One look. True when there is more to find at once. */
  async sweep(): Promise<boolean> {
    if (!(await this.#options.queues.wasKept())) await this.#republishAll();
    const overdue = await this.#options.ledger.sweep(sliceSize);
    for (const message of overdue) {
      this.#wake(message, message.state === 'leased' ? 'expired' : 'unpublished');
    }
    await this.#topUp();
    return overdue.length === sliceSize;
  }

  /** New tokens for stages that have due messages and none. */
  async #topUp(): Promise<void> {
    const { ledger, queues, publisher, registry, metrics, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#toppedUpMs + topUpEveryMs) return;
    this.#toppedUpMs = nowMs;
    // A delayed job of the same id would swallow the new one: the number in the id is another each time.
    this.#topUps += 1;
    const names = registry.stages.map(({ definition }) => definition.name);
    const overdue = await ledger.listOverdue(names, topUpAfterMs, topUpSize);
    for (const [stage, messages] of Map.groupBy(overdue, (message) => message.stage)) {
      const { waiting, active } = await queues.queue(stage).counts();
      if (waiting + active > 0) continue;
      metrics.increment('sweeper_republished_total', { reason: 'without_token' }, messages.length);
      for (const message of messages) publisher.wake(message, message.fence + this.#topUps, 0);
    }
  }

  async #republishAll(): Promise<void> {
    const { ledger, publisher, logger } = this.#options;
    let count = 0;
    for (let after = firstId; ;) {
      const slice = await ledger.listOpen(after, sliceSize);
      for (const message of slice) if (message.state === 'pending') this.#wake(message, 'store_emptied');
      count += slice.length;
      await publisher.drain();
      const last = slice.at(-1);
      if (last === undefined || slice.length < sliceSize) break;
      after = last.id;
    }
    if (count > 0) logger.info({ messages: count }, 'the queue was empty: open messages are published again');
  }

  #wake(message: OverdueMessage, reason: 'unpublished' | 'expired' | 'store_emptied'): void {
    if (message.isParked) return;
    const { registry, publisher, metrics, logger } = this.#options;
    if (registry.find(message.stage) === undefined) {
      logger.warn(
        { stage: message.stage, messageId: message.id },
        'no stage of this host consumes an open message',
      );
      return;
    }
    metrics.increment('sweeper_republished_total', { reason });
    publisher.wake(message, message.fence, message.dueInMs);
  }
}
