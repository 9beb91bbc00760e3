import type { MarkedProviders } from '../capabilities/capability.ts';
import type { ServiceToken } from '../capabilities/http-part.ts';
import type { BackgroundJob } from '../kernel/background-job.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import type { ExportLedger } from '../engine/export/export-ledger.ts';
import type { UsageExporter } from '../engine/export/usage-exporter.ts';
import type { CallLedger } from '../engine/ledger/call-ledger.ts';
import type { FlushObserver } from '../engine/ledger/flush-observer.ts';
import { LedgerCounts } from '../engine/ledger/ledger-counts.ts';
import type { MessageLedger } from '../engine/ledger/message-ledger.ts';
import { AbandonedCalls } from '../engine/maintenance/abandoned-calls.ts';
import type { Admissions } from '../engine/pipeline/admissions.ts';
import { StageCapacities } from '../engine/pipeline/stage-capacities.ts';
import type { RegisteredStage, StageRegistry } from '../engine/pipeline/stage-registry.ts';
import { StageWorker } from '../engine/pipeline/stage-worker.ts';
import { StageWorkers } from '../engine/pipeline/stage-workers.ts';
import { stopWorkers } from '../engine/pipeline/stop-workers.ts';
import { reportCrashes } from './crash-report.ts';
import type { ProviderConfig } from '../engine/providers/provider-config.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import { capabilities } from './capabilities.ts';
import { CapabilitySet, type HostCapability, type HostContext, OpenHooks } from './capability-set.ts';
import { backgroundJobMaker, backgroundJobReporter, type MakeBackgroundJob } from './job-runner.ts';
import type { Configuration } from './configuration.ts';
import { composeEngine } from './engine-services.ts';
import { EventLoopLag } from './event-loop-lag.ts';
import { GaugeReader } from './gauges.ts';
import { boundsOf, type HostBounds } from './host-bounds.ts';
import { HostClock } from './host-clock.ts';
import { composeModels } from './host-models.ts';
import type { HostParts } from './host-parts.ts';
import { maintenanceLoops } from './maintenance-loops.ts';
import { MaintenanceRole } from './maintenance-role.ts';
import { startHostTracing } from './host-tracing.ts';
import { LedgerWrites } from './ledger-writes.ts';
import { catalogueOf, type MillraceMetrics } from './metric-catalogue.ts';
import { measuredPayloads } from './measured-payloads.ts';
import { lendStores } from './operator-lending.ts';
import { initialiseSeries } from './starting-series.ts';
import { startupChecks } from './startup.ts';
import { type Stores, openStores } from './stores.ts';
import { version } from './version.ts';
import { workerName } from './worker-name.ts';

/*
 * A host: the stores, the engine and the capabilities over them, and the loops of its roles, composed in one place and
 * independent of the framework. It starts in the order of need and stops in reverse: take no more work, let it end or hand
 * it back, publish what was written, export, close.
 */

export interface HostOptions {
  readonly configuration: Configuration;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Model providers besides the configured ones: models in this process. */
  readonly modelProviders?: Readonly<Record<string, ProviderConfig>>;
  /** Default those of the catalogue. */
  readonly metrics?: MillraceMetrics;
  /** What the host can do beside its engine. Default everything. */
  readonly capabilities?: readonly HostCapability[];
  /** Variables of the environment that look like settings and are none. */
  readonly unknownVariables?: readonly string[];
  /** Told which store is opened next. */
  readonly onOpening?: (what: string) => void;
}

type OverOptions = HostOptions & { readonly stores: Stores; readonly worker?: string };

export class Host {
  readonly configuration: Configuration;
  readonly stores: Stores;
  readonly logger: Logger;
  readonly metrics: MillraceMetrics;
  /** The ledger's time, and a watch on this machine's. */
  readonly clock: HostClock;
  readonly bounds: HostBounds;
  /** Whether the ledger takes writes. */
  readonly writes: LedgerWrites;
  /** What it can do beside its engine. */
  readonly capabilities: readonly HostCapability[];
  readonly #parts: HostParts;
  readonly #maintenance: MaintenanceRole;
  readonly #lag = new EventLoopLag();
  #workers: StageWorkers | undefined;
  #forgetCrashes: () => void = () => undefined;
  #loops: readonly BackgroundJob[] = [];
  #gauges: GaugeReader | undefined;
  #stopping: Promise<void> | undefined;
  #stopLending: () => Promise<void> = () => Promise.resolve();

  private constructor(parts: HostParts) {
    this.configuration = parts.configuration;
    this.stores = parts.stores;
    this.logger = parts.logger;
    this.metrics = parts.metrics;
    this.clock = parts.clock;
    this.bounds = parts.bounds;
    this.writes = parts.writes;
    this.capabilities = parts.list;
    this.#parts = parts;
    this.#maintenance = new MaintenanceRole({
      ...parts,
      ...parts.engine,
      isEmbedded: parts.stores.isEmbedded,
    });
    parts.onWorkers(() => this.#workers?.all ?? []);
  }

  /** Opens the stores and composes the services; no work is taken before `start`. */
  static async open(options: HostOptions): Promise<Host> {
    const worker = workerName();
    const stores = await openStores(options.configuration, worker, options.onOpening);
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
  static async over(options: OverOptions): Promise<Host> {
    let started: Tracing | undefined;
    try {
      return await Host.#compose(options, (tracing) => {
        started = tracing;
      });
    } catch (error) {
      // No span has ended yet; what kept the host from opening is what is reported.
      await started?.shutdown().catch(() => undefined);
      throw error;
    }
  }

  static async #compose(options: OverOptions, onTracing: (tracing: Tracing) => void): Promise<Host> {
    const { configuration, logger, clock: own = systemClock, worker = workerName() } = options;
    const writes = new LedgerWrites(own);
    const watched = { ...options.stores, database: writes.watch(options.stores.database) };
    const list = options.capabilities ?? capabilities;
    const catalogue = catalogueOf(list);
    const metrics = options.metrics ?? createMetrics(catalogue, { processMetrics: true });
    const hostClock = await HostClock.begin({ ...watched, own, metrics, logger });
    const clock = hostClock.time;
    const stores = { ...watched, payloads: measuredPayloads(watched.payloads, metrics) };
    const onFlush: FlushObserver = (operation, size, durationMs) => {
      metrics.observe('ledger_group_commit_size', { operation }, size);
      metrics.observe('ledger_group_commit_seconds', { operation }, durationMs / 1000);
    };
    const stageCapacities = new StageCapacities(clock);
    const bounds = boundsOf(metrics, stores.database);
    const tracing = startHostTracing(configuration.tracing, { metrics, bounds, logger, clock: own });
    onTracing(tracing);
    const hooks = new OpenHooks();
    const random = Math.random;
    const shared = { configuration, clock, random, logger, metrics, tracing, bounds, onFlush };
    const models = await composeModels({
      ...shared,
      ...stores,
      modelProviders: options.modelProviders,
      gates: hooks.gates,
      quotas: hooks.quotas,
      deferral: hooks.deferral,
      sharing: hooks.sharing,
    });
    const engine = composeEngine({ ...shared, stores, models, hooks, stageCapacities, worker });
    let workers: HostContext['engine']['workers'] = () => [];
    const context: HostContext = {
      ...shared,
      ...stores,
      settings: configuration,
      engine: {
        ...engine,
        ...models,
        models: models.meteredModels,
        stageCapacities,
        workers: () => workers(),
      },
      makeLoop: backgroundJobMaker({ clock, logger, metrics }),
    };
    return new Host({
      ...shared,
      clock: hostClock,
      stores,
      writes,
      engine,
      models,
      capabilities: await CapabilitySet.open(list, context, hooks),
      list,
      catalogue,
      worker,
      stageCapacities,
      checkStartup: startupChecks({
        ...models,
        configuration,
        list,
        stores: watched,
        clock: own,
        metrics,
        logger,
        unknownVariables: options.unknownVariables ?? [],
      }),
      onWorkers: (read) => {
        workers = read;
      },
    });
  }

  get registry(): StageRegistry {
    return this.#parts.engine.registry;
  }

  get admissions(): Admissions {
    return this.#parts.engine.admissions;
  }

  get messages(): MessageLedger {
    return this.#parts.engine.messages;
  }

  get exports(): ExportLedger {
    return this.#parts.engine.exports;
  }

  get exporter(): UsageExporter {
    return this.#parts.engine.exporter;
  }

  get calls(): CallLedger {
    return this.#parts.models.calls;
  }

  /** A service of a capability, by its class. */
  service<Service>(token: abstract new (...args: never[]) => Service): Service {
    return this.#parts.capabilities.service(token);
  }

  /** Everything that the capabilities offer. */
  get services(): ReadonlyMap<ServiceToken, unknown> {
    return this.#parts.capabilities.services;
  }

  /** The providers of an application that capabilities are given before the start. */
  get marked(): readonly MarkedProviders[] {
    return this.#parts.capabilities.marked;
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
    const { configuration, metrics, logger, stores } = this;
    const { engine, capabilities: open, catalogue } = this.#parts;
    engine.registry.register(stages);
    initialiseSeries(metrics, { version, roles: configuration.roles, stages, catalogue });
    await this.#parts.checkStartup(stages.map(({ definition }) => definition));
    await open.beforeWork();
    const freed = stores.isEmbedded ? await engine.sweeps.expireAllLeases() : 0;
    if (freed > 0)
      logger.info({ messages: freed }, 'messages that the last run left unfinished are taken up again');
    this.#loops = this.#makeLoops();
    for (const loop of this.#loops) loop.start();
    this.#gauges = this.#openGauges();
    this.#gauges.start();
    if (!configuration.roles.includes('worker')) return;
    this.#workers = this.#makeWorkers();
    await this.#workers.start(stages);
    this.#forgetCrashes = reportCrashes(logger, () => this.#stagesAtWork());
    this.#lag.start();
  }

  /** Whether it stops, or has stopped. */
  get isClosing(): boolean {
    return this.#stopping !== undefined;
  }

  /** Whether it works on messages. */
  get isWorking(): boolean {
    return this.#parts.engine.leases.size > 0;
  }

  #stagesAtWork(): readonly string[] {
    const workers = this.#workers?.all ?? [];
    return workers.filter(({ isWorking }) => isWorking).map(({ definition }) => definition.name);
  }

  /** Resolves when no renewal of leases is under way. */
  settleLeases(): Promise<void> {
    return this.#parts.engine.leases.settled();
  }

  /** Resolves when the queue was notified of everything that was written so far. */
  settlePublishing(): Promise<void> {
    return this.#parts.engine.publisher.drain();
  }

  async #end(): Promise<void> {
    const { logger, configuration } = this;
    const { engine, capabilities: open, tracing } = this.#parts;
    await this.#workers?.stop();
    this.#forgetCrashes();
    for (const loop of this.#loops) await loop.stop();
    await this.#gauges?.stop();
    this.#lag.stop();
    await engine.leases.close();
    await open.stop();
    await engine.publisher.drain();
    if (configuration.roles.includes('maintenance')) await this.#maintenance.end();
    await tracing
      .shutdown()
      .catch((error: unknown) => logger.warn({ error }, 'the last spans were not exported'));
    await this.#stopLending();
    await this.stores.close();
  }

  #makeWorkers(): StageWorkers {
    const { configuration, metrics, logger, stores, bounds } = this;
    const { engine, stageCapacities } = this.#parts;
    const { runner, publisher, leases: renewer } = engine;
    const clock = this.clock.time;
    const shared = { queues: stores.queues, runner, publisher, clock, logger, metrics };
    const graceMs = configuration.shutdownGraceMs;
    return new StageWorkers({
      makeWorker: (stage) =>
        new StageWorker(stage, { ...shared, gate: stageCapacities.open(stage.definition) }),
      stopWorkers: (workers) => stopWorkers({ workers, runner, renewer, graceMs, clock, logger }),
      concurrency: configuration.worker.concurrency,
      readLagMs: () => this.#lag.readMs(),
      bounds,
    });
  }

  #openGauges(): GaugeReader {
    const { configuration, stores, calls, logger, metrics, bounds } = this;
    return new GaugeReader({
      ...this.#parts.engine,
      capabilities: this.#parts.capabilities,
      metrics,
      counts: new LedgerCounts(stores.database),
      calls,
      queues: stores.queues,
      bounds,
      pendingRecordsBound: configuration.exporter.pendingRecordsBound,
      clock: this.clock.time,
      onReadingEnd: backgroundJobReporter('gauges', { logger, metrics }),
    });
  }

  #maintenanceLoops(makeJob: MakeBackgroundJob): readonly BackgroundJob[] {
    const clock = this.clock.time;
    const { engine, models } = this.#parts;
    const abandoned = new AbandonedCalls({ ledger: models.calls, clock });
    return maintenanceLoops({ ...this.#parts, ...engine, clock, abandoned }, this.#maintenance, makeJob);
  }

  #makeLoops(): readonly BackgroundJob[] {
    const { configuration, logger, metrics } = this;
    const { engine, capabilities: open } = this.#parts;
    const makeJob = backgroundJobMaker({ clock: this.clock.time, logger, metrics });
    return [
      this.clock.loop(makeJob),
      makeJob('stage_ends', 2000, () => engine.backlog.noteEnds()),
      ...open.loops(makeJob),
      makeJob('concurrency', 250, async () => (await this.#workers?.adapt()) ?? false),
      ...(configuration.roles.includes('maintenance') ? this.#maintenanceLoops(makeJob) : []),
    ];
  }
}
