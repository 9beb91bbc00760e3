import type { QueueDriver } from '../../drivers/queue/queue.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { LedgerCounts } from '../ledger/ledger-counts.ts';
import type { EngineMetrics } from '../metrics/engine-metrics.ts';
import type { Publisher } from '../pipeline/publisher.ts';
import type { StageRegistry } from '../pipeline/stage-registry.ts';

export interface OverdueStagesOptions {
  readonly counts: Pick<LedgerCounts, 'listWaitingStages'>;
  readonly queues: Pick<QueueDriver, 'queue'>;
  readonly publisher: Pick<Publisher, 'notifyOthers'>;
  readonly registry: StageRegistry;
  readonly clock: Clock;
  readonly metrics: EngineMetrics;
}

/** How often stages are looked for that nobody works on, and how long their messages must have been due. */
const overdueEveryMs = 2000;
const overdueAfterSeconds = 5;
/** How long they must have been due when somebody took a notification and has not come back: it may have died with it. */
const takenAfterSeconds = 10;

/** Stages that have overdue messages and nothing in their queue. */
export class OverdueStages {
  readonly #options: OverdueStagesOptions;
  #lookedMs = -Infinity;

  constructor(options: OverdueStagesOptions) {
    this.#options = options;
  }

  /** Tells them, once every so often. */
  async tell(): Promise<void> {
    const { counts, queues, publisher, registry, metrics, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#lookedMs + overdueEveryMs) return;
    this.#lookedMs = nowMs;
    const names = registry.stages.map(({ definition }) => definition.name);
    for (const { stage, seconds } of await counts.listWaitingStages(names)) {
      if (seconds < overdueAfterSeconds) continue;
      const { waiting, active } = await queues.queue(stage).counts();
      if (waiting > 0 || (active > 0 && seconds < takenAfterSeconds)) continue;
      metrics.increment('sweeper_republished_total', { reason: 'overdue' });
      publisher.notifyOthers(stage);
    }
  }
}
