import type { QueueDriver } from '../drivers/queue/queue.ts';
import type { OverdueMessage, SweepLedger } from '../ledger/sweep-ledger.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from '../telemetry/metrics.ts';
import type { Publisher } from './publisher.ts';
import type { StageRegistry } from './stage-registry.ts';

/*
 * Finds what the queue forgot: messages that were never published (the process died after its commit), whose worker
 * died (the lease ran out), or whose jobs went with the queue's store (FLUSHALL, a new Redis). The ledger alone says
 * what is open; telling the queue twice does no harm.
 */

export interface SweeperOptions {
  readonly ledger: SweepLedger;
  readonly queues: QueueDriver;
  readonly publisher: Publisher;
  readonly registry: StageRegistry;
  readonly logger: Logger;
  readonly metrics: MillraceMetrics;
}

const sliceSize = 500;
const firstId = '00000000-0000-0000-0000-000000000000';

export class Sweeper {
  readonly #options: SweeperOptions;

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
    return overdue.length === sliceSize;
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
