import type { QueueDriver } from '../../drivers/queue/queue.ts';
import type { OverdueMessage, SweepLedger } from '../ledger/sweep-ledger.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { EngineMetrics } from '../metrics/engine-metrics.ts';
import type { OverdueStages } from './overdue-stages.ts';
import type { Publisher } from '../pipeline/publisher.ts';
import type { StageRegistry } from '../pipeline/stage-registry.ts';

/*
 * Finds what the queue forgot: messages whose worker died (the lease ran out), without a notification (the process died
 * after its commit), or whose notifications went with the queue's store (FLUSHALL, a new Redis). The ledger alone says
 * what is open; telling the queue twice does no harm.
 *
 * A worker that is notified of one message takes all that are due. So nobody looks at each that waits: a stage that has had due
 * messages for a while and nothing in its queue is notified again. What is counted of stages says so, however many wait.
 */

export interface SweeperOptions {
  readonly ledger: SweepLedger;
  readonly overdue: OverdueStages;
  readonly queues: Pick<QueueDriver, 'wasKept'>;
  readonly publisher: Publisher;
  readonly registry: StageRegistry;
  readonly logger: Logger;
  readonly metrics: EngineMetrics;
}

const sliceSize = 500;
export class Sweeper {
  readonly #options: SweeperOptions;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  /** One look. True when there is more to find at once. */
  async sweep(): Promise<boolean> {
    if (!(await this.#options.queues.wasKept())) this.#tellAll();
    const unseen = await this.#options.ledger.sweep(sliceSize);
    for (const message of unseen) this.#tell(message, message.state === 'leased' ? 'expired' : 'unpublished');
    await this.#options.overdue.tell();
    return unseen.length === sliceSize;
  }

  /** The store was emptied, or is new. Delayed notifications come again when the messages are due and unseen. */
  #tellAll(): void {
    const { publisher, registry, metrics, logger } = this.#options;
    for (const { definition } of registry.stages) {
      metrics.increment('sweeper_republished_total', { reason: 'store_emptied' });
      publisher.notifyOthers(definition.name);
    }
    logger.info(
      { stages: registry.stages.length },
      'the queue was empty: every stage is notified of its messages again',
    );
  }

  #tell(message: OverdueMessage, reason: 'unpublished' | 'expired'): void {
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
    publisher.notify(message.stage, message.id, message.dueInMs);
  }
}
