import { hostname } from 'node:os';
import { AppError } from '../kernel/app-error.ts';
import { BackgroundLoop } from '../kernel/background-loop.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { CallLedger } from '../ledger/call-ledger.ts';
import { DeadLetters } from '../ledger/dead-letters.ts';
import { ExportLedger } from '../ledger/export-ledger.ts';
import type { FlushObserver } from '../ledger/group-commit.ts';
import { MessageLedger } from '../ledger/message-ledger.ts';
import { prune } from '../ledger/retention.ts';
import { SweepLedger } from '../ledger/sweep-ledger.ts';
import { AbandonedCalls } from '../models/abandoned-calls.ts';
import { ModelGateway } from '../models/model-gateway.ts';
import { type ProviderConfig, ProviderRegistry } from '../models/provider-registry.ts';
import { DeadLetterOffice } from '../operations/dead-letter-office.ts';
import { Admissions } from '../pipeline/admissions.ts';
import { LeaseKeeper } from '../pipeline/lease-keeper.ts';
import { MessageBodies } from '../pipeline/message-bodies.ts';
import { MessageRunner } from '../pipeline/message-runner.ts';
import { Publisher } from '../pipeline/publisher.ts';
import { type RegisteredStage, StageRegistry } from '../pipeline/stage-registry.ts';
import { StageWorker } from '../pipeline/stage-worker.ts';
import { Sweeper } from '../pipeline/sweeper.ts';
import { UsageExporter } from '../pipeline/usage-exporter.ts';
import { packagedPriceBook } from '../pricing/packaged-price-book.ts';
import { readOverlayFile } from '../pricing/overlay.ts';
import type { Logger } from '../telemetry/logger.ts';
import { metricCatalogue } from '../telemetry/metric-catalogue.ts';
import { type MillraceMetrics, createMetrics } from '../telemetry/metrics.ts';
import { type Tracing, startTracing } from '../telemetry/tracing.ts';
import type { Configuration } from './configuration.ts';
import { GaugeReader, initialiseSeries } from './gauges.ts';
import { measuredPayloads } from './measured-payloads.ts';
import { spendBaselineChore } from './spend-baseline-chore.ts';
import { type Stores, openStores } from './stores.ts';
import { version } from './version.ts';

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
}

// Every turn of a chore renews it. While it outlives a relay that died, nobody sweeps: a dead worker's messages would
// wait for that on top of their own leases.
const roleLeaseMs = 5000;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const pruneSlice = 1000;

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
  readonly exporter: UsageExporter;
  readonly gateway: ModelGateway;
  readonly deadLetters: DeadLetterOffice;
  readonly #publisher: Publisher;
  readonly #keeper: LeaseKeeper;
  readonly #runner: MessageRunner;
  readonly #clock: Clock;
  readonly #abandoned: AbandonedCalls;
  #workers: readonly StageWorker[] = [];
  #loops: readonly BackgroundLoop[] = [];
  readonly #tracing: Tracing;
  readonly #worker: string;
  #stopping: Promise<void> | undefined;

  private constructor(parts: HostParts) {
    const { configuration, logger, clock, stores, registry, metrics, tracing, gateway, worker } = parts;
    this.configuration = configuration;
    this.stores = stores;
    this.logger = logger;
    this.metrics = metrics;
    this.registry = registry;
    this.gateway = gateway;
    this.calls = parts.calls;
    this.#tracing = tracing;
    this.#worker = worker;
    this.messages = new MessageLedger({ database: stores.database, clock, worker, onFlush: parts.onFlush });
    this.exports = new ExportLedger(stores.database);
    this.sweeps = new SweepLedger(stores.database);
    this.#publisher = new Publisher({ queues: stores.queues, clock, logger, metrics });
    const bodies = new MessageBodies(stores.payloads, configuration.messages);
    const publisher = this.#publisher;
    this.admissions = new Admissions({ ledger: this.messages, registry, bodies, publisher, clock });
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
    this.#runner = new MessageRunner({
      ledger: this.messages,
      gateway,
      keeper: this.#keeper,
      bodies,
      publisher,
      registry,
      clock,
      random: Math.random,
      logger,
      metrics,
    });
    this.exporter = new UsageExporter({
      ledger: this.exports,
      store: stores.columns,
      clock,
      logger,
      metrics,
      batchRows: configuration.exporter.batchRows,
    });
    this.#clock = clock;
    this.#abandoned = parts.abandoned;
  }

  /** Opens the stores and composes the services; no work is taken before `start`. */
  static async open(options: HostOptions): Promise<Host> {
    const worker = workerName();
    const stores = await openStores(options.configuration, worker);
    try {
      return await Host.over({ ...options, stores, worker });
    } catch (error) {
      await stores.close();
      throw error;
    }
  }

  /** Composes the services over stores that are open. */
  static async over(
    options: HostOptions & { readonly stores: Stores; readonly worker?: string },
  ): Promise<Host> {
    const { configuration, logger, clock = systemClock, stores, worker = workerName() } = options;
    const providers = new ProviderRegistry({
      ...configuredProviders(configuration),
      ...options.modelProviders,
    });
    const { priceOverlay, inlineAnswerBytes } = configuration.models;
    const pricer = packagedPriceBook(
      priceOverlay === undefined ? {} : { overlay: await readOverlayFile(priceOverlay) },
    );
    const metrics = createMetrics(metricCatalogue, { processMetrics: true });
    const { endpoint, sampleRatio } = configuration.tracing;
    const tracing = startTracing({
      ...(endpoint === undefined ? {} : { endpoint: `${endpoint.replace(/\/$/, '')}/v1/traces` }),
      serviceName: 'millrace',
      version,
      sampleRatio,
    });
    const payloads = measuredPayloads(stores.payloads, metrics);
    const onFlush: FlushObserver = (operation, size, durationMs) => {
      metrics.observe('ledger_group_commit_size', { operation }, size);
      metrics.observe('ledger_group_commit_seconds', { operation }, durationMs / 1000);
    };
    const calls = new CallLedger({ database: stores.database, clock, onFlush });
    const gateway = new ModelGateway({
      ledger: calls,
      pricer,
      registry: providers,
      payloads,
      maxInlineAnswerBytes: inlineAnswerBytes,
      metrics,
      logger,
      clock,
      ...(endpoint === undefined ? {} : { tracer: tracing.tracer }),
    });
    return new Host({
      configuration,
      logger,
      clock,
      stores: { ...stores, payloads },
      registry: new StageRegistry(),
      metrics,
      tracing,
      worker,
      calls,
      onFlush,
      gateway,
      abandoned: new AbandonedCalls({ ledger: calls, clock }),
    });
  }

  /** Stops in reverse: resolves when nothing of this host runs any more. Safe to call twice. */
  stop(): Promise<void> {
    this.#stopping ??= this.#end();
    return this.#stopping;
  }

  /** Registers the stages and starts the configured roles. Throws MILLRACE_CONFIG_INVALID with every fault of the stages. */
  async start(stages: readonly RegisteredStage[]): Promise<void> {
    const { configuration, metrics, logger, stores, sweeps, registry } = this;
    registry.register(stages);
    initialiseSeries(metrics, { version, roles: configuration.roles, stages });
    for (const warning of await stores.queues.warnings())
      logger.warn({ warning }, 'the queue store could break a promise');
    if (stores.isEmbedded) {
      const freed = await sweeps.expireAllLeases();
      if (freed > 0)
        logger.info({ messages: freed }, 'messages that the last run left unfinished are taken up again');
    }
    this.#loops = this.#makeLoops(this.#clock, this.#abandoned);
    for (const loop of this.#loops) loop.start();
    if (!configuration.roles.includes('worker')) return;
    const runner = this.#runner;
    const { concurrency } = configuration.worker;
    this.#workers = stages.map(
      ({ definition, handler }) =>
        new StageWorker(
          { definition: concurrency === undefined ? definition : { ...definition, concurrency }, handler },
          { queues: stores.queues, runner, logger, metrics },
        ),
    );
    for (const worker of this.#workers) await worker.start();
  }

  /** Resolves when the queue was told of everything that was written so far. */
  settlePublishing(): Promise<void> {
    return this.#publisher.drain();
  }

  async #end(): Promise<void> {
    const { logger, configuration } = this;
    this.#runner.beginStop();
    const grace = setTimeout(() => {
      this.#keeper.abortAll(new AppError('MILLRACE_LEASE_LOST', 'The host stops and the grace time is over'));
    }, configuration.shutdownGraceMs);
    await Promise.all(this.#workers.map((worker) => worker.stop()));
    clearTimeout(grace);
    for (const loop of this.#loops) await loop.stop();
    await this.#keeper.close();
    await this.#publisher.drain();
    if (configuration.roles.includes('relay')) await this.#lastExport();
    await this.#tracing
      .shutdown()
      .catch((error: unknown) => logger.warn({ error }, 'the last spans were not exported'));
    await this.stores.close();
  }

  /** What the stopping workers settled still goes out; if it cannot, it waits in the ledger for the next start. */
  async #lastExport(): Promise<void> {
    try {
      if (await this.#holdsRelay()) await this.exporter.drain();
      await this.sweeps.releaseRole('relay', this.#worker);
    } catch (error) {
      this.logger.warn({ error }, 'the last usage records wait in the ledger for the next start');
    }
  }

  /**
   * One process at a time: two would only get in each other's way. Embedded, there is only this one, which need not
   * wait until the lease of one that was killed runs out.
   */
  async #holdsRelay(): Promise<boolean> {
    return this.stores.isEmbedded || (await this.sweeps.holdRole('relay', this.#worker, roleLeaseMs));
  }

  #makeLoops(clock: Clock, abandoned: AbandonedCalls): readonly BackgroundLoop[] {
    const { configuration, stores, sweeps, exporter, logger, metrics, registry } = this;
    const onError = (error: unknown, name: string): void =>
      logger.error({ error, loop: name }, 'a background loop failed; it goes on');
    const loop = (name: string, pauseMs: number, turn: () => Promise<boolean>): BackgroundLoop =>
      new BackgroundLoop({ name, clock, pauseMs, turn, onError });
    const gauges = new GaugeReader({
      metrics,
      sweeps,
      exports: this.exports,
      calls: this.calls,
      queues: stores.queues,
      registry,
    });
    const always = [loop('gauges', 2000, () => gauges.read())];
    if (!configuration.roles.includes('relay')) return always;
    const sweeper = new Sweeper({
      ledger: sweeps,
      queues: stores.queues,
      publisher: this.#publisher,
      registry,
      logger,
      metrics,
    });
    const alone = (turn: () => Promise<boolean>) => async (): Promise<boolean> =>
      (await this.#holdsRelay()) && (await turn());
    const holdsRelay = (): Promise<boolean> => this.#holdsRelay();
    const { columns } = stores;
    const spendBaseline = spendBaselineChore({ configuration, columns, metrics, clock, holdsRelay });
    const { finishedDays, exportedDays } = configuration.retention;
    const ages = { finishedMs: finishedDays * dayMs, exportedMs: exportedDays * dayMs };
    return [
      ...always,
      loop(
        'sweep',
        configuration.sweeper.pauseMs,
        alone(() => sweeper.sweep()),
      ),
      loop(
        'export',
        configuration.exporter.pauseMs,
        alone(() => exporter.exportNext()),
      ),
      loop(
        'abandoned calls',
        5000,
        alone(async () => (await abandoned.settleAbandoned()) > 0),
      ),
      loop('spend baseline', configuration.costs.baseline.pauseMs, spendBaseline),
      loop(
        'retention',
        hourMs,
        alone(async () => Object.values(await prune(stores.database, ages, pruneSlice)).includes(pruneSlice)),
      ),
    ];
  }
}

/** Unique among all processes that share a ledger, and readable in its rows. */
function workerName(): string {
  return `${hostname()}-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
}

interface HostParts {
  readonly configuration: Configuration;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly stores: Stores;
  readonly registry: StageRegistry;
  readonly metrics: MillraceMetrics;
  readonly tracing: Tracing;
  readonly gateway: ModelGateway;
  readonly abandoned: AbandonedCalls;
  readonly calls: CallLedger;
  readonly worker: string;
  readonly onFlush: FlushObserver;
}

/** The providers of the configuration: named ones, and the two whose keys are set. */
function configuredProviders({ models }: Configuration): Readonly<Record<string, ProviderConfig>> {
  const { openaiApiKey, anthropicApiKey, providers } = models;
  return {
    ...(openaiApiKey === undefined ? {} : { openai: { kind: 'openai' as const, apiKey: openaiApiKey } }),
    ...(anthropicApiKey === undefined
      ? {}
      : { anthropic: { kind: 'anthropic' as const, apiKey: anthropicApiKey } }),
    ...withoutUndefined(providers),
  };
}

function withoutUndefined(providers: Configuration['models']['providers']): Record<string, ProviderConfig> {
  return Object.fromEntries(
    Object.entries(providers).map(([name, provider]) => [
      name,
      Object.fromEntries(
        Object.entries(provider).filter(([, value]) => value !== undefined),
      ) as unknown as ProviderConfig,
    ]),
  );
}
