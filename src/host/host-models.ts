import type { PayloadStore } from '../drivers/payload-store/payload-store.ts';
import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import type { CallDeferral } from '../engine/calls/call-deferral.ts';
import type { CallSharing } from '../engine/calls/call-sharing.ts';
import type { CallGate } from '../engine/calls/call-gate.ts';
import { composeMeteredModels } from '../engine/calls/compose-metered-models.ts';
import type { MeteredModels } from '../engine/calls/metered-models.ts';
import type { QuotaSource } from '../engine/calls/quota-source.ts';
import { CallLedger } from '../engine/ledger/call-ledger.ts';
import type { FlushObserver } from '../engine/ledger/flush-observer.ts';
import type { ProviderConfig } from '../engine/providers/provider-config.ts';
import type { ProviderRegistry } from '../engine/providers/provider-registry.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LivePriceBook } from '../pricing/live-price-book.ts';
import type { HostBounds } from './host-bounds.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from './metric-catalogue.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import type { Configuration } from './configuration.ts';
import { configuredModels } from './configured-models.ts';

export interface HostModelsOptions {
  readonly configuration: Configuration;
  /** Besides the configured ones: models in this process. */
  readonly modelProviders: Readonly<Record<string, ProviderConfig>> | undefined;
  readonly database: SqlDatabase;
  readonly payloads: PayloadStore;
  /** What requests pass before they are reserved; may be filled later. */
  readonly gates: readonly CallGate[];
  /** What they have to fit when they are reserved. */
  readonly quotas: QuotaSource;
  /** Who puts them off; may be filled later. */
  readonly deferral: () => CallDeferral | undefined;
  /** Who knows of equal requests of other messages; may be filled later. */
  readonly sharing: () => CallSharing | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: MillraceMetrics;
  readonly tracing: Tracing;
  readonly onFlush: FlushObserver;
  readonly bounds: HostBounds;
}

/** A host's way to its models. */
export interface HostModels {
  readonly providers: ProviderRegistry;
  readonly pricer: LivePriceBook;
  readonly calls: CallLedger;
  readonly meteredModels: MeteredModels;
}

/** Composes metered calls to the configured models, and to those given besides. Throws MILLRACE_CONFIG_INVALID. */
export async function composeModels(options: HostModelsOptions): Promise<HostModels> {
  const { configuration, database, payloads, gates, quotas, deferral, sharing, clock } = options;
  const { logger, metrics, tracing, onFlush, bounds } = options;
  const { models, tracing: traced } = configuration;
  const { providers, pricer } = await configuredModels(configuration, options.modelProviders, clock);
  const calls = new CallLedger({ database, clock, onFlush, bounds });
  const meteredModels = composeMeteredModels({
    ledger: calls,
    registry: providers,
    pricer,
    quotas,
    deferral,
    sharing,
    fallbacks: models.fallbacks,
    gates,
    payloads,
    maxInlineAnswerBytes: models.inlineAnswerBytes,
    keepsAnswers: models.keepAnswers,
    maxRetryAfterMs: models.retryAfter.maxMessageMs,
    metrics,
    logger,
    clock,
    bounds,
    ...(traced.endpoint === undefined ? {} : { tracer: tracing }),
  });
  return { providers, pricer, calls, meteredModels };
}
