import type { LimitBook } from './limit-book.ts';
import { RateLimitStore } from './model-limits.ts';
import { composeRateGate } from './compose-rate-gate.ts';
import type { RateGate } from './rate-gate.ts';
import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import type { Clock } from '../../kernel/clock.ts';
import { warmInputEstimates } from '../../engine/providers/input-estimate.ts';
import type { StageCapacities } from '../../engine/pipeline/stage-capacities.ts';
import type { LimitBounds } from './limit-names.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { LimitMetrics } from './limit-metrics.ts';
import type { LimitSettings } from './limit-settings.ts';

/** What it reads of the settings of models. */
export interface WaitSettings {
  readonly retryAfter: { readonly maxModelMs: number };
}

interface LimitParts {
  readonly limits: LimitSettings['models'];
  readonly models: WaitSettings;
  /** What is in force at the time. */
  readonly book: LimitBook;
  readonly database: SqlDatabase;
  readonly stageCapacities: StageCapacities;
  readonly random: () => number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: LimitMetrics;
  readonly bounds: LimitBounds;
}

/** The gate that keeps the configured limits of models, bound to the stages whose slots its waits hold. */
export async function limitsGate(parts: LimitParts): Promise<RateGate> {
  const {
    limits,
    models: settings,
    book,
    database,
    stageCapacities,
    clock,
    random,
    logger,
    metrics,
    bounds,
  } = parts;
  const models = Object.keys(limits).map((name) => {
    const slash = name.indexOf('/');
    return { provider: name.slice(0, slash), model: name.slice(slash + 1) };
  });
  metrics.initialise(
    'llm_limit_wait_seconds',
    models.filter(({ model }) => model !== '*'),
  );
  await warmInputEstimates(models.map(({ model }) => model));
  return composeRateGate({
    limits: book,
    maxCooldownMs: settings.retryAfter.maxModelMs,
    store: new RateLimitStore({ database, clock, bounds }),
    clock,
    random,
    logger,
    metrics,
    bounds,
    slotsOf: (stage) => stageCapacities.find(stage)?.concurrency,
    onWait: (stage, waitMs) => stageCapacities.find(stage)?.waits(waitMs),
    onPark: (stage, slotInMs) => stageCapacities.find(stage)?.mayGoOnIn(slotInMs),
  });
}
