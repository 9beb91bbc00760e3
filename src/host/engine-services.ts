import { ExportLedger } from '../engine/export/export-ledger.ts';
import { UsageExporter } from '../engine/export/usage-exporter.ts';
import { EventWaits } from '../engine/ledger/event-waits.ts';
import { Joins } from '../engine/ledger/joins.ts';
import type { FlushObserver } from '../engine/ledger/flush-observer.ts';
import { MessageLedger } from '../engine/ledger/message-ledger.ts';
import { StageBacklog } from '../engine/ledger/stage-backlog.ts';
import { SweepLedger } from '../engine/ledger/sweep-ledger.ts';
import { Admissions } from '../engine/pipeline/admissions.ts';
import { composeRunner } from '../engine/pipeline/compose-runner.ts';
import { EndedMessages } from '../engine/pipeline/ended-messages.ts';
import { LeaseRenewer } from '../engine/pipeline/lease-renewer.ts';
import { MessageBodies } from '../engine/pipeline/message-bodies.ts';
import type { MessageRunner } from '../engine/pipeline/message-runner.ts';
import { Publisher } from '../engine/pipeline/publisher.ts';
import type { StageCapacities } from '../engine/pipeline/stage-capacities.ts';
import { StageRegistry } from '../engine/pipeline/stage-registry.ts';
import type { Clock } from '../kernel/clock.ts';
import type { HostBounds } from './host-bounds.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from './metric-catalogue.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import type { OpenHooks } from './capability-set.ts';
import type { Configuration } from './configuration.ts';
import type { HostModels } from './host-models.ts';
import type { Stores } from './stores.ts';

export interface EngineOptions {
  readonly configuration: Configuration;
  readonly stores: Stores;
  readonly models: HostModels;
  readonly hooks: OpenHooks;
  readonly stageCapacities: StageCapacities;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: MillraceMetrics;
  readonly tracing: Tracing;
  readonly bounds: HostBounds;
  readonly onFlush: FlushObserver;
  /** This process's name. */
  readonly worker: string;
}

/** The engine of a host: what takes messages in, works on them, and exports what they used. Nothing runs yet. */
export interface EngineServices {
  readonly registry: StageRegistry;
  readonly messages: MessageLedger;
  readonly exports: ExportLedger;
  readonly sweeps: SweepLedger;
  readonly backlog: StageBacklog;
  readonly publisher: Publisher;
  readonly bodies: MessageBodies;
  readonly admissions: Admissions;
  readonly leases: LeaseRenewer;
  readonly ends: EndedMessages;
  readonly runner: MessageRunner;
  readonly exporter: UsageExporter;
}

/** Composes the engine over open stores. */
export function composeEngine(options: EngineOptions): EngineServices {
  const { configuration, stores, models, hooks, clock, logger, metrics, tracing, bounds } = options;
  const registry = new StageRegistry();
  const messages = new MessageLedger({
    database: stores.database,
    clock,
    worker: options.worker,
    onFlush: options.onFlush,
    onReduced: (error) => {
      metrics.increment('ledger_reduced_writes_total', { operation: 'fail' });
      logger.warn({ error }, 'the end of a run was refused for what it holds, and kept without that');
    },
    bounds,
  });
  const exports = new ExportLedger(stores.database);
  const backlog = new StageBacklog(stores.database);
  const publisher = new Publisher({ queues: stores.queues, clock, logger, metrics });
  const bodies = new MessageBodies(stores.payloads, configuration.messages);
  const { endpoint, fanOutLinks } = configuration.tracing;
  const traced = endpoint === undefined ? {} : { tracer: { ...tracing, fanOutLinks } };
  const { maxDepth, maxHops } = configuration.messages;
  const leases = new LeaseRenewer({
    clock,
    logger,
    renew: (due) => messages.renew(due),
    onExpired: () => metrics.increment('lease_expired_total', {}),
  });
  const ends = new EndedMessages();
  return {
    registry,
    messages,
    exports,
    sweeps: new SweepLedger(stores.database),
    backlog,
    publisher,
    bodies,
    admissions: new Admissions({
      ledger: messages,
      registry,
      bodies,
      publisher,
      clock,
      check: hooks.admission,
      maxDepth,
      ...traced,
    }),
    leases,
    ends,
    runner: composeRunner({
      ledger: messages,
      backlog,
      joins: new Joins(stores.database),
      eventWaits: new EventWaits(stores.database),
      meteredModels: models.meteredModels,
      renewer: leases,
      bodies,
      publisher,
      ends,
      registry,
      clock,
      random: options.random,
      follower: hooks.follower,
      maxDepth,
      maxHops,
      logger,
      metrics,
      onParked: (stage, delayMs) => options.stageCapacities.find(stage)?.parked(delayMs),
      ...traced,
    }),
    exporter: new UsageExporter({
      ledger: exports,
      store: stores.columns,
      clock,
      logger,
      metrics,
      bounds,
      batchRows: configuration.exporter.batchRows,
    }),
  };
}
