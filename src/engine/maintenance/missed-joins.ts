import type { Logger } from '../../telemetry/logger.ts';
import type { Joins } from '../ledger/joins.ts';
import type { EngineMetrics } from '../metrics/engine-metrics.ts';
import type { Publisher } from '../pipeline/publisher.ts';

export interface MissedJoinsOptions {
  readonly joins: Pick<Joins, 'recheck'>;
  readonly publisher: Pick<Publisher, 'notifyOthers'>;
  readonly logger: Logger;
  readonly metrics: EngineMetrics;
}

/** How many joins one look goes to. */
const sliceSize = 50;

/**
 * Walks through the joins that wait, some at each look, and releases those that have nothing to wait for. A join is released by whoever
 * ends the last of its branches; only one whose message somebody else held at that moment is left to this walk.
 */
export class MissedJoins {
  readonly #options: MissedJoinsOptions;

  constructor(options: MissedJoinsOptions) {
    this.#options = options;
  }

  /** One look. False: the next may wait. */
  async look(): Promise<boolean> {
    const { joins, publisher, metrics, logger } = this.#options;
    const { stages } = await joins.recheck(sliceSize);
    for (const stage of stages) {
      metrics.increment('sweeper_republished_total', { reason: 'join' });
      publisher.notifyOthers(stage);
    }
    if (stages.length > 0) logger.info({ stages }, 'joins that had been passed over are released');
    return false;
  }
}
