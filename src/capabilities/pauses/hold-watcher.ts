import { type Hold, holdScopes, describeHold } from '../../engine/ledger/hold.ts';
import type { Holds } from '../../engine/ledger/holds.ts';
import type { ModelGateway } from '../../engine/calls/model-gateway.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { PauseMetrics } from './pause-metrics.ts';
import { abortOfCall, abortOfWork, changesOf, isStagePaused } from './hold-effects.ts';
import type { LeaseKeeper } from '../../engine/pipeline/lease-keeper.ts';
import type { StageRegistry } from '../../engine/pipeline/stage-registry.ts';
import type { StageWorker } from '../../engine/pipeline/stage-worker.ts';

/*
 * Follows the holds in one process. Nothing depends on it that must not begin: the ledger refuses that from the
 * hold's commit on. It serves what only the process can do: end what is in the air when a hold asks for that, leave the
 * wake-up calls of a held stage in its queue, and show what stands. Each look applies everything that stands, not what has
 * changed, so that work which was taken just before a hold is found by the next look.
 */

export interface HoldWatcherOptions {
  readonly holds: Pick<Holds, 'read'>;
  readonly leases: Pick<LeaseKeeper, 'abortEach'>;
  readonly gateway: Pick<ModelGateway, 'abortCalls'>;
  readonly registry: Pick<StageRegistry, 'stages'>;
  readonly workers: () => readonly Pick<StageWorker, 'definition' | 'setPaused'>[];
  readonly metrics: PauseMetrics;
  readonly logger: Logger;
}

export class HoldWatcher {
  readonly #options: HoldWatcherOptions;
  #standing: readonly Hold[] = [];

  constructor(options: HoldWatcherOptions) {
    this.#options = options;
  }

  /** One look; there never is more to do at once. */
  async look(): Promise<false> {
    const { holds, leases, gateway, registry, workers, metrics } = this.#options;
    const standing = await holds.read();
    this.#log(standing);
    this.#standing = standing;
    if (standing.some(({ aborts }) => aborts)) {
      leases.abortEach((work) => abortOfWork(standing, work));
      gateway.abortCalls((call) => abortOfCall(standing, call));
    }
    for (const scope of holdScopes) {
      metrics.set('holds_active', { scope }, standing.filter((hold) => hold.scope === scope).length);
    }
    metrics.set('hold_age_seconds', {}, Math.max(0, ...standing.map(({ ageSeconds }) => ageSeconds)));
    for (const { definition } of registry.stages) {
      const { owner, name: stage } = definition;
      metrics.set('stage_paused', { owner, stage }, isStagePaused(standing, stage) ? 1 : 0);
    }
    await Promise.all(
      workers().map((worker) => worker.setPaused(isStagePaused(standing, worker.definition.name))),
    );
    return false;
  }

  #log(standing: readonly Hold[]): void {
    const { logger } = this.#options;
    const { placed, lifted } = changesOf(this.#standing, standing);
    for (const { id, scope, value, actor, reason, aborts } of placed)
      logger.warn(
        { holdId: id, actor, reason, aborts },
        `held by an operator: ${describeHold({ scope, value })}`,
      );
    for (const { id, scope, value } of lifted)
      logger.info({ holdId: id }, `no longer held: ${describeHold({ scope, value })}`);
  }
}
