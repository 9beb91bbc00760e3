import type { PayloadStore } from '../drivers/payload-store/payload-store.ts';
import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import type { Clock } from '../kernel/clock.ts';
import { CorrectionLedger } from '../engine/ledger/correction-ledger.ts';
import { CallLedger } from '../engine/ledger/call-ledger.ts';
import type { FlushObserver } from '../engine/ledger/flush-observer.ts';
import type { RateGate } from '../capabilities/limits/rate-gate.ts';
import { AbandonedCalls } from '../engine/maintenance/abandoned-calls.ts';
import { ModelGateway } from '../engine/calls/model-gateway.ts';
import type { ProviderConfig, ProviderRegistry } from '../engine/providers/provider-registry.ts';
import type { StageGates } from '../engine/pipeline/stage-gates.ts';
import { CorrectionOffice } from '../capabilities/corrections/correction-office.ts';
import type { Pricer } from '../pricing/price.ts';
import type { Bounds } from '../telemetry/bounds.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from '../telemetry/metrics.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import { BudgetWatch } from './budget-watch.ts';
import type { Configuration } from './configuration.ts';
import { configuredModels } from './configured-models.ts';
import { limitsGate } from './model-limits.ts';
import { SharedModelHealth } from './model-health.ts';

export interface HostModelsOptions {
  readonly configuration: Configuration;
  /** Besides the configured ones: models in this process. */
  readonly modelProviders: Readonly<Record<string, ProviderConfig>> | undefined;
  readonly database: SqlDatabase;
  readonly payloads: PayloadStore;
  readonly stageGates: StageGates;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: MillraceMetrics;
  readonly tracing: Tracing;
  readonly onFlush: FlushObserver;
  readonly bounds: Bounds;
}

/** A host's way to its models: metered calls, and everything that they pass and fit before they are made. */
export class HostModels {
  readonly providers: ProviderRegistry;
  readonly pricer: Pricer;
  readonly calls: CallLedger;
  readonly gateway: ModelGateway;
  readonly budgets: BudgetWatch;
  readonly abandoned: AbandonedCalls;
  readonly corrections: CorrectionOffice;
  readonly #health: SharedModelHealth;
  readonly #limits: RateGate;

  private constructor(parts: ModelParts) {
    this.providers = parts.providers;
    this.pricer = parts.pricer;
    this.calls = parts.calls;
    this.gateway = parts.gateway;
    this.budgets = parts.budgets;
    this.abandoned = new AbandonedCalls({ ledger: parts.calls, clock: parts.clock });
    this.corrections = new CorrectionOffice({
      ledger: new CorrectionLedger(parts.database),
      pricer: parts.pricer,
      priceProviderOf: (provider) => parts.providers.priceProviderOf(provider),
      clock: parts.clock,
    });
    this.#health = parts.health;
    this.#limits = parts.limits;
  }

  static async compose(options: HostModelsOptions): Promise<HostModels> {
    const { configuration, database, payloads, clock, logger, metrics, tracing, onFlush, bounds } = options;
    const { models, tracing: traced } = configuration;
    const { providers, pricer } = await configuredModels(configuration, options.modelProviders);
    const calls = new CallLedger({ database, clock, onFlush, bounds });
    const health = new SharedModelHealth({
      ...options,
      models,
      random: Math.random,
    });
    const limits = await limitsGate(options);
    const budgets = new BudgetWatch({ budgets: configuration.budgets, database, clock, metrics });
    const gateway = new ModelGateway({
      ledger: calls,
      registry: providers,
      pricer,
      budgets: budgets.book,
      fallbacks: models.fallbacks,
      // Tokens are taken last: what is refused before need not give them back.
      gates: [...health.gates, limits],
      payloads,
      maxInlineAnswerBytes: models.inlineAnswerBytes,
      keepsAnswers: models.keepAnswers,
      maxRetryAfterMs: models.retryAfter.maxMessageMs,
      metrics,
      logger,
      clock,
      ...(traced.endpoint === undefined ? {} : { tracer: tracing }),
    });
    return new HostModels({ database, providers, pricer, calls, gateway, budgets, health, limits, clock });
  }

  start(): void {
    this.#health.start();
  }

  /** Resolves when nothing is under way any more. After the last call has ended, before the stores close. */
  async stop(): Promise<void> {
    await this.#health.stop();
    await this.#limits.close();
  }
}

interface ModelParts {
  readonly database: SqlDatabase;
  readonly providers: ProviderRegistry;
  readonly pricer: Pricer;
  readonly calls: CallLedger;
  readonly gateway: ModelGateway;
  readonly budgets: BudgetWatch;
  readonly health: SharedModelHealth;
  readonly limits: RateGate;
  readonly clock: Clock;
}
