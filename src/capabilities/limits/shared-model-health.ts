import { BreakerGate } from './breaker-gate.ts';
import type { CallGate } from '../../engine/calls/call-gate.ts';
import { healthPauseMs, ModelHealth } from './model-health.ts';
import { ModelHealthStore } from './model-health-store.ts';
import { RetryBudgetGate } from './retry-budget-gate.ts';
import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import type { BackgroundLoop } from '../../kernel/background-loop.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { LimitBounds, limitNames } from './limit-names.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { limitMetrics, LimitMetrics } from './limit-metrics.ts';
import type { CapabilityContext, NameOf } from '../capability.ts';
import type { LimitSettings } from './limit-settings.ts';

/** What it reads of the settings of models. */
export interface HealthSettings extends Pick<LimitSettings, 'breaker' | 'retryBudget'> {
  /** Who stands in for a model, by the names of both. */
  readonly fallbacks: Readonly<Record<string, string>>;
}

interface HealthParts {
  readonly models: HealthSettings;
  readonly database: SqlDatabase;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: LimitMetrics;
  readonly bounds: LimitBounds;
  readonly makeLoop: CapabilityContext<
    unknown,
    typeof limitMetrics,
    NameOf<typeof limitNames, 'jobs'>
  >['makeLoop'];
}

/** Circuit breakers and retry budgets of one process, with the loop that shares them with the others. */
export class SharedModelHealth {
  /** The circuit first: what it refuses costs no retry. */
  readonly gates: readonly CallGate[];
  readonly #health: ModelHealth;
  readonly #loop: BackgroundLoop | undefined;

  constructor({ models, database, clock, random, logger, metrics, bounds, makeLoop }: HealthParts) {
    const breaker = models.breaker.enabled ? models.breaker : undefined;
    const retryBudget = models.retryBudget.enabled ? models.retryBudget : undefined;
    const store = new ModelHealthStore(database);
    const health = new ModelHealth({ store, clock, logger, metrics, breaker, retryBudget, bounds });
    this.#health = health;
    const fallbacks = Object.entries(models.fallbacks);
    metrics.initialise(
      'llm_fallbacks_total',
      fallbacks.map(([from, to]) => ({ from_model: from, to_model: to })),
    );
    // Known from the start, so that their circuits are seen before they are needed.
    for (const [provider, model] of fallbacks.flat().map(nameOf)) health.watch(provider, model);
    this.gates = [
      ...(breaker === undefined ? [] : [new BreakerGate({ health, random })]),
      ...(retryBudget === undefined ? [] : [new RetryBudgetGate({ health, settings: retryBudget, random })]),
    ];
    if (this.gates.length === 0) return;
    const loop = makeLoop('model_health', healthPauseMs, () => health.turn());
    health.onUrgent = () => loop.nudge();
    this.#loop = loop;
  }

  start(): void {
    this.#loop?.start();
  }

  /** Tells the last counts, and resolves when nothing is under way any more. Before the stores close. */
  async stop(): Promise<void> {
    if (this.#loop === undefined) return;
    await this.#loop.stop();
    await this.#health.close();
  }
}

function nameOf(reference: string): readonly [provider: string, model: string] {
  const slash = reference.indexOf('/');
  return [reference.slice(0, slash), reference.slice(slash + 1)];
}
