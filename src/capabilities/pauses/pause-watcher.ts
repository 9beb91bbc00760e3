import { type Block, blockScopes, describeBlock } from '../../engine/ledger/block.ts';
import type { Blocks } from '../../engine/ledger/blocks.ts';
import type { MeteredModels } from '../../engine/calls/metered-models.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { PauseMetrics } from './pause-metrics.ts';
import { abortOfCall, abortOfWork, changesOf, isStagePaused } from './pause-effects.ts';
import type { LeaseRenewer } from '../../engine/pipeline/lease-renewer.ts';
import type { StageRegistry } from '../../engine/pipeline/stage-registry.ts';
import type { StageWorker } from '../../engine/pipeline/stage-worker.ts';

/*
 * Follows the pauses in one process. Nothing depends on it that must not begin: the ledger refuses that from the
 * pause's commit on. It serves what only the process can do: end what is running when a pause asks for that, leave the
 * job notifications of a paused stage in its queue, and show what stands. Each look applies everything that stands, not what has
 * changed, so that work which was taken just before a pause is found by the next look.
 */

export interface PauseWatcherOptions {
  readonly blocks: Pick<Blocks, 'read'>;
  readonly leases: Pick<LeaseRenewer, 'abortEach'>;
  readonly meteredModels: Pick<MeteredModels, 'abortCalls'>;
  readonly registry: Pick<StageRegistry, 'stages'>;
  readonly workers: () => readonly Pick<StageWorker, 'definition' | 'setPaused'>[];
  readonly metrics: PauseMetrics;
  readonly logger: Logger;
}

export class PauseWatcher {
  readonly #options: PauseWatcherOptions;
  #standing: readonly Block[] = [];

  constructor(options: PauseWatcherOptions) {
    this.#options = options;
  }

  /** One look; there never is more to do at once. */
  async look(): Promise<false> {
    const { blocks, leases, meteredModels, registry, workers, metrics } = this.#options;
    const standing = await blocks.read();
    this.#log(standing);
    this.#standing = standing;
    if (standing.some(({ aborts }) => aborts)) {
      leases.abortEach((work) => abortOfWork(standing, work));
      meteredModels.abortCalls((call) => abortOfCall(standing, call));
    }
    for (const scope of blockScopes) {
      metrics.set('pauses_active', { scope }, standing.filter((block) => block.scope === scope).length);
    }
    metrics.set('pause_age_seconds', {}, Math.max(0, ...standing.map(({ ageSeconds }) => ageSeconds)));
    for (const { definition } of registry.stages) {
      const { owner, name: stage } = definition;
      metrics.set('stage_paused', { owner, stage }, isStagePaused(standing, stage) ? 1 : 0);
    }
    await Promise.all(
      workers().map((worker) => worker.setPaused(isStagePaused(standing, worker.definition.name))),
    );
    return false;
  }

  #log(standing: readonly Block[]): void {
    const { logger } = this.#options;
    const { placed, resumed } = changesOf(this.#standing, standing);
    for (const { id, scope, value, actor, reason, aborts } of placed)
      logger.warn(
        { pauseId: id, actor, reason, aborts },
        `paused by an operator: ${describeBlock({ scope, value })}`,
      );
    for (const { id, scope, value } of resumed)
      logger.info({ pauseId: id }, `resumed by an operator: ${describeBlock({ scope, value })}`);
  }
}
