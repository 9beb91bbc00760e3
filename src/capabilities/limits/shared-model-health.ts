import { CircuitGate } from './circuit-gate.ts';
import type { CallGate } from '../../engine/calls/call-gate.ts';
import { healthIntervalMs, ModelHealth } from './model-health.ts';
import { ModelHealthStore } from './model-health-store.ts';
import { RetryBudgetGate } from './retry-budget-gate.ts';
import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import type { BackgroundJob } from '../../kernel/background-job.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { LimitBounds, limitNames } from './limit-names.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { limitMetrics, LimitMetrics } from './limit-metrics.ts';
import type { CapabilityContext, NameOf } from '../capability.ts';
import type { LimitSettings } from './limit-settings.ts';

/** What it reads of the settings of models. */
export interface StandInSettings {
  /** Who stands in for a model, by the names of both. */
  readonly fallbacks: Readonly<Record<string, string>>;
}

interface HealthParts {
  readonly limits: Pick<LimitSettings, 'circuit' | 'retryBudget'>;
  readonly models: StandInSettings;
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
  readonly #loop: BackgroundJob | undefined;

  private constructor(gates: readonly CallGate[], health: ModelHealth, loop: BackgroundJob | undefined) {
    this.gates = gates;
    this.#health = health;
    this.#loop = loop;
  }

  static open({
    limits,
    models,
    database,
    clock,
    random,
    logger,
    metrics,
    bounds,
    makeLoop,
  }: HealthParts): SharedModelHealth {
    const circuit = limits.circuit.enabled ? limits.circuit : undefined;
    const retryBudget = limits.retryBudget.enabled ? limits.retryBudget : undefined;
    const store = new ModelHealthStore(database);
    const health = new ModelHealth({ store, clock, logger, metrics, circuit, retryBudget, bounds });
    const fallbacks = Object.entries(models.fallbacks);
    metrics.initialise(
      'llm_fallbacks_total',
      fallbacks.map(([from, to]) => ({ from_model: from, to_model: to })),
    );
    // Known from the start, so that their circuits are seen before they are needed.
    for (const [provider, model] of fallbacks.flat().map(nameOf)) health.watch(provider, model);
    const gates = [
      ...(circuit === undefined ? [] : [new CircuitGate({ health, random })]),
      ...(retryBudget === undefined ? [] : [new RetryBudgetGate({ health, settings: retryBudget, random })]),
    ];
    if (gates.length === 0) return new SharedModelHealth(gates, health, undefined);
    const loop = makeLoop('model_health', healthIntervalMs, () => health.turn());
    health.onUrgent = () => loop.nudge();
    return new SharedModelHealth(gates, health, loop);
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
