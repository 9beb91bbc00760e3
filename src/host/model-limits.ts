import { ModelLimits } from '../capabilities/limits/model-limits.ts';
import { RateGate } from '../capabilities/limits/rate-gate.ts';
import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import type { Clock } from '../kernel/clock.ts';
import { warmInputEstimates } from '../engine/providers/input-estimate.ts';
import type { StageGates } from '../engine/pipeline/stage-gates.ts';
import type { Bounds } from '../telemetry/bounds.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from '../telemetry/metrics.ts';
import type { Configuration } from './configuration.ts';

export interface LimitParts {
  readonly configuration: Configuration;
  readonly database: SqlDatabase;
  readonly stageGates: StageGates;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: MillraceMetrics;
  readonly bounds: Bounds;
}

/** The gate that keeps the configured limits of models, bound to the stages whose slots its waits hold. */
export async function limitsGate(parts: LimitParts): Promise<RateGate> {
  const { configuration, database, stageGates, clock, logger, metrics, bounds } = parts;
  const { limits } = configuration.models;
  const models = Object.keys(limits).map((name) => {
    const slash = name.indexOf('/');
    return { provider: name.slice(0, slash), model: name.slice(slash + 1) };
  });
  metrics.initialise(
    'llm_limit_wait_seconds',
    models.filter(({ model }) => model !== '*'),
  );
  await warmInputEstimates(models.map(({ model }) => model));
  return new RateGate({
    limits,
    maxBlockMs: configuration.models.retryAfter.maxModelMs,
    store: new ModelLimits({ database, clock, bounds }),
    clock,
    random: Math.random,
    logger,
    metrics,
    bounds,
    slotsOf: (stage) => stageGates.find(stage)?.concurrency,
    onWait: (stage, waitMs) => stageGates.find(stage)?.waits(waitMs),
    onPark: (stage, slotInMs) => stageGates.find(stage)?.mayGoOnIn(slotInMs),
  });
}
