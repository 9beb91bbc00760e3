import type { BackgroundLoop } from '../kernel/background-loop.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import type { CallLedger } from '../engine/ledger/call-ledger.ts';
import { DeadLetters } from '../capabilities/dead-letters/dead-letters.ts';
import { ExportLedger } from '../engine/export/export-ledger.ts';
import type { FlushObserver } from '../engine/ledger/flush-observer.ts';
import { MessageLedger } from '../engine/ledger/message-ledger.ts';
import { LedgerCounts } from '../engine/ledger/ledger-counts.ts';
import { StageBacklog } from '../engine/ledger/stage-backlog.ts';
import { SweepLedger } from '../engine/ledger/sweep-ledger.ts';
import type { ModelGateway } from '../engine/calls/model-gateway.ts';
import type { ProviderConfig } from '../engine/providers/provider-registry.ts';
import { DeadLetterOffice } from '../capabilities/dead-letters/dead-letter-office.ts';
import { Admissions } from '../engine/pipeline/admissions.ts';
import { StageGates } from '../engine/pipeline/stage-gates.ts';
import { LeaseKeeper } from '../engine/pipeline/lease-keeper.ts';
import { MessageBodies } from '../engine/pipeline/message-bodies.ts';
import { MessageRunner } from '../engine/pipeline/message-runner.ts';
import { Publisher } from '../engine/pipeline/publisher.ts';
import { type RegisteredStage, StageRegistry } from '../engine/pipeline/stage-registry.ts';
import { StageWorkers } from '../engine/pipeline/stage-workers.ts';
import { UsageExporter } from '../engine/export/usage-exporter.ts';
import type { Bounds } from '../telemetry/bounds.ts';
import type { Logger } from '../telemetry/logger.ts';
import { metricCatalogue } from '../telemetry/metric-catalogue.ts';
import { type MillraceMetrics, createMetrics } from '../telemetry/metrics.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import type { BudgetWatch } from './budget-watch.ts';
import { choreMaker, choreTeller } from './chores.ts';
import type { Configuration } from './configuration.ts';
import { boundsOf } from './host-bounds.ts';
import { EventLoopLag } from './event-loop-lag.ts';
import { GaugeReader, initialiseSeries } from './gauges.ts';
import { HostClock } from './host-clock.ts';
import { HostHolds } from './host-holds.ts';
import { HostMessages } from './host-messages.ts';
import type { HostParts } from './host-parts.ts';
import { HostModels } from './host-models.ts';
import { HostRelay } from './host-relay.ts';
import { startHostTracing } from './host-tracing.ts';
import { LedgerWrites } from './ledger-writes.ts';
import { measuredPayloads } from './measured-payloads.ts';
import { lendStores } from './operator-lending.ts';
import { startupChecks } from './startup.ts';
import { type Stores, openStores } from './stores.ts';
import { version } from './version.ts';
import { workerName } from './worker-name.ts';

/*
 * A host: the stores, the services over them, and the loops of its roles, composed in one place and independent of
 * the framework. It starts in the order of need and stops in reverse: take no more work, let it end or hand it back,
 * publish what was written, export, close.
 */

export interface HostOptions {
  readonly configuration: Configuration;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Model providers besides the configured ones: models in this process. */
  readonly modelProviders?: Readonly<Record<string, ProviderConfig>>;
  /** Default those of the catalogue. */
  readonly metrics?: MillraceMetrics;
}

export class Host {
  readonly configuration: Configuration;
  readonly stores: Stores;
  readonly logger: Logger;
  readonly metrics: MillraceMetrics;
  readonly registry: StageRegistry;
  readonly admissions: Admissions;
  readonly messages: MessageLedger;
  readonly calls: CallLedger;
  readonly exports: ExportLedger;
  readonly sweeps: SweepLedger;
  readonly #backlog: StageBacklog;
  readonly exporter: UsageExporter;
  readonly gateway: ModelGateway;
  readonly deadLetters: DeadLetterOffice;
  readonly budgets: BudgetWatch;
  readonly holds: HostHolds;
  /** Finding, steering and waiting for messages. */
  readonly steering: HostMessages;
  readonly #publisher: Publisher;
  readonly #keeper: LeaseKeeper;
  readonly #runner: MessageRunner;
  /** The ledger's time, and a watch on this machine's. */
  readonly clock: HostClock;
  readonly #stageGates: StageGates;
  readonly #checkStartup: HostParts['checkStartup'];
  readonly bounds: Bounds;
  /** Whether the ledger takes writes. */
  readonly writes: LedgerWrites;
  readonly #lag = new EventLoopLag();
  #workers: StageWorkers | undefined;
  #loops: readonly BackgroundLoop[] = [];
  #gauges: GaugeReader | undefined;
  readonly #tracing: Tracing;
  /** What calls truly used, set by operators. */
  readonly corrections: HostModels['corrections'];
  readonly #models: HostModels;
  readonly #relay: HostRelay;
  #stopping: Promise<void> | undefined;
  #stopLending: () => Promise<void> = () => Promise.resolve();

  private constructor(parts: HostParts) {
    const { configuration, logger, stores, registry, metrics, tracing, worker, models, bounds } = parts;
    this.clock = parts.clock;
    const clock = parts.clock.time;
    this.configuration = configuration;
    this.stores = stores;
    this.logger = logger;
    this.metrics = metrics;
    this.bounds = bounds;
    this.writes = parts.writes;
    this.registry = registry;
    this.gateway = models.gateway;
    this.calls = models.calls;
    this.#models = models;
    this.corrections = models.corrections;
    this.#tracing = tracing;
    this.messages = new MessageLedger({
      database: stores.database,
      clock,
      worker,
      onFlush: parts.onFlush,
      onReduced: (error) => {
        metrics.increment('ledger_reduced_writes_total', { operation: 'fail' });
        logger.warn({ error }, 'the end of a run was refused for what it holds, and kept without that');
      },
      bounds,
    });
    this.exports = new ExportLedger(stores.database);
    this.sweeps = new SweepLedger(stores.database);
    this.#backlog = new StageBacklog(stores.database);
    this.#publisher = new Publisher({ queues: stores.queues, clock, logger, metrics });
    const bodies = new MessageBodies(stores.payloads, configuration.messages);
    const publisher = this.#publisher;
    const { endpoint, fanOutLinks } = configuration.tracing;
    const traced = endpoint === undefined ? {} : { tracer: { ...tracing, fanOutLinks } };
    this.budgets = models.budgets;
    this.admissions = new Admissions({
      ledger: this.messages,
      registry,
      bodies,
      publisher,
      clock,
      budgets: models.budgets.admission,
      maxDepth: configuration.messages.maxDepth,
      ...traced,
    });
    this.deadLetters = new DeadLetterOffice({
      ledger: new DeadLetters(stores.database),
      bodies,
      publisher,
      metrics,
      clock,
    });
    this.#keeper = new LeaseKeeper({
      clock,
      logger,
      renew: (held) => this.messages.renew(held),
      onLost: () => metrics.increment('lease_lost_total', {}),
    });
    this.steering = new HostMessages({
      database: stores.database,
      bodies,
      publisher,
      leases: this.#keeper,
      metrics,
      clock,
    });
    this.holds = new HostHolds({
      database: stores.database,
      clock,
      metrics,
      logger,
      publisher,
      leases: this.#keeper,
      gateway: models.gateway,
      registry,
      workers: () => this.#workers?.all ?? [],
    });
    this.#runner = new MessageRunner({
      ledger: this.messages,
      backlog: this.#backlog,
      gateway: models.gateway,
      keeper: this.#keeper,
      bodies,
      publisher,
      ends: this.steering.ends,
      registry,
      clock,
      random: Math.random,
      maxDepth: configuration.messages.maxDepth,
      maxHops: configuration.messages.maxHops,
      logger,
      metrics,
      onParked: (stage, delayMs) => parts.stageGates.find(stage)?.parked(delayMs),
      ...traced,
    });
    this.exporter = new UsageExporter({
      ledger: this.exports,
      store: stores.columns,
      clock,
      logger,
      metrics,
      bounds,
      batchRows: configuration.exporter.batchRows,
    });
    this.#stageGates = parts.stageGates;
    this.#checkStartup = parts.checkStartup;
    this.#relay = new HostRelay({
      configuration,
      stores,
      sweeps: this.sweeps,
      exporter: this.exporter,
      abandoned: models.abandoned,
      budgets: models.budgets,
      holds: this.holds,
      publisher,
      registry,
      clock,
      logger,
      metrics,
      worker,
    });
  }

  /** Opens the stores and composes the services; no work is taken before `start`. */
  static async open(options: HostOptions): Promise<Host> {
    const worker = workerName();
    const stores = await openStores(options.configuration, worker);
    try {
      const host = await Host.over({ ...options, stores, worker });
      host.#stopLending = await lendStores(options, stores);
      return host;
    } catch (error) {
      await stores.close();
      throw error;
    }
  }

  /** Composes the services over stores that are open. */
  static async over(
    options: HostOptions & { readonly stores: Stores; readonly worker?: string },
  ): Promise<Host> {
    const { configuration, logger, clock: own = systemClock, worker = workerName() } = options;
    const writes = new LedgerWrites(own);
    const stores = { ...options.stores, database: writes.watch(options.stores.database) };
    const metrics = options.metrics ?? createMetrics(metricCatalogue, { processMetrics: true });
    const hostClock = await HostClock.begin({ ...stores, own, metrics, logger });
    const clock = hostClock.time;
    const payloads = measuredPayloads(stores.payloads, metrics);
    const onFlush: FlushObserver = (operation, size, durationMs) => {
      metrics.observe('ledger_group_commit_size', { operation }, size);
      metrics.observe('ledger_group_commit_seconds', { operation }, durationMs / 1000);
    };
    const stageGates = new StageGates(clock);
    const bounds = boundsOf(metrics, stores.database);
    const tracing = startHostTracing(configuration.tracing, { metrics, bounds, logger });
    const models = await HostModels.compose({
      configuration,
      modelProviders: options.modelProviders,
      database: stores.database,
      payloads,
      stageGates,
      clock,
      logger,
      metrics,
      tracing,
      onFlush,
      bounds,
    });
    return new Host({
      configuration,
      logger,
      clock: hostClock,
      stores: { ...stores, payloads },
      writes,
      registry: new StageRegistry(),
      metrics,
      tracing,
      worker,
      models,
      onFlush,
      stageGates,
      checkStartup: startupChecks({
        providers: models.providers,
        pricer: models.pricer,
        configuration,
        stores,
        clock: own,
        metrics,
        logger,
      }),
      bounds,
    });
  }

  /** Stops in reverse: resolves when nothing of this host runs any more. Safe to call twice. */
  stop(): Promise<void> {
    this.#stopping ??= this.#end();
    return this.#stopping;
  }

  /**
   * Registers the stages, checks what could break a promise, and starts the configured roles. Throws
   * MILLRACE_CONFIG_INVALID with every fault of the stages, and MILLRACE_STARTUP_REFUSED.
   */
  async start(stages: readonly RegisteredStage[]): Promise<void> {
    const { configuration, metrics, logger, stores, sweeps, registry } = this;
    registry.register(stages);
    initialiseSeries(metrics, { version, roles: configuration.roles, stages });
    await this.#checkStartup(stages.map(({ definition }) => definition));
    const changes = await this.budgets.begin();
    if (changes.length > 0)
      this.logger.info({ changes }, 'the budgets of this configuration hold now, for all processes');
    const freed = stores.isEmbedded ? await sweeps.expireAllLeases() : 0;
    if (freed > 0)
      logger.info({ messages: freed }, 'messages that the last run left unfinished are taken up again');
    this.#loops = this.#makeLoops();
    for (const loop of this.#loops) loop.start();
    this.#gauges = this.#openGauges();
    this.#gauges.start();
    this.#models.start();
    if (!configuration.roles.includes('worker')) return;
    this.#workers = new StageWorkers({
      queues: stores.queues,
      runner: this.#runner,
      keeper: this.#keeper,
      graceMs: configuration.shutdownGraceMs,
      publisher: this.#publisher,
      clock: this.clock.time,
      gates: this.#stageGates,
      concurrency: configuration.worker.concurrency,
      readLagMs: () => this.#lag.readMs(),
      logger,
      metrics,
      bounds: this.bounds,
    });
    await this.holds.watcher.look();
    await this.#workers.start(stages);
    this.#lag.start();
  }

  /** Resolves when the queue was told of everything that was written so far. */
  settlePublishing(): Promise<void> {
    return this.#publisher.drain();
  }

  async #end(): Promise<void> {
    const { logger, configuration } = this;
    await this.#workers?.stop();
    for (const loop of this.#loops) await loop.stop();
    await this.#gauges?.stop();
    this.#lag.stop();
    await this.#keeper.close();
    await this.#models.stop();
    await this.#publisher.drain();
    if (configuration.roles.includes('relay')) await this.#relay.lastExport();
    await this.#tracing
      .shutdown()
      .catch((error: unknown) => logger.warn({ error }, 'the last spans were not exported'));
    await this.#stopLending();
    await this.stores.close();
  }

  #openGauges(): GaugeReader {
    const { configuration, stores, exports, calls, registry, logger, metrics } = this;
    return new GaugeReader({
      metrics,
      counts: new LedgerCounts(stores.database),
      backlog: this.#backlog,
      exports,
      calls,
      queues: stores.queues,
      registry,
      bounds: this.bounds,
      pendingRecordsBound: configuration.exporter.pendingRecordsBound,
      clock: this.clock.time,
      onReadingEnd: choreTeller('gauges', { logger, metrics }),
    });
  }

  #makeLoops(): readonly BackgroundLoop[] {
    const { configuration, logger, metrics } = this;
    const chore = choreMaker({ clock: this.clock.time, logger, metrics });
    return [
      this.clock.loop(chore),
      chore('stage_ends', 2000, () => this.#backlog.noteEnds()),
      chore('budgets', 1000, () => this.budgets.look()),
      this.holds.watchLoop(chore),
      this.steering.watchLoop(chore),
      chore('concurrency', 250, async () => (await this.#workers?.adapt()) ?? false),
      ...(configuration.roles.includes('relay') ? this.#relay.loops(chore) : []),
    ];
  }
}
