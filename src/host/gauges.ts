import type { QueueDriver } from '../drivers/queue/queue.ts';
import type { TurnEnd } from '../kernel/background-job.ts';
import type { Clock } from '../kernel/clock.ts';
import type { CallLedger } from '../engine/ledger/call-ledger.ts';
import type { ExportLedger } from '../engine/export/export-ledger.ts';
import {
  type CountedKind,
  type LedgerCount,
  type LedgerCounts,
  backlogStates,
  oldestOf,
  sumOf,
} from '../engine/ledger/ledger-counts.ts';
import { type StageBacklog, drainSeconds } from '../engine/ledger/stage-backlog.ts';
import { lanes } from '../engine/pipeline/lane.ts';
import type { RegisteredStage, StageRegistry } from '../engine/pipeline/stage-registry.ts';
import type { HostBounds } from './host-bounds.ts';
import type { CapabilitySet } from './capability-set.ts';
import type { MillraceMetrics } from './metric-catalogue.ts';
import { ReadingOnDemand } from './reading-on-demand.ts';

export interface GaugeSources {
  readonly metrics: MillraceMetrics;
  readonly counts: LedgerCounts;
  readonly backlog: StageBacklog;
  readonly exports: ExportLedger;
  readonly calls: CallLedger;
  readonly queues: QueueDriver;
  readonly registry: StageRegistry;
  readonly bounds: HostBounds;
  readonly capabilities: Pick<CapabilitySet, 'readGauges'>;
  /** How many records may wait for the column store. */
  readonly pendingRecordsBound: number;
  readonly clock: Clock;
  readonly onReadingEnd: (end: TurnEnd) => void;
}

const timing = { freshMs: 2000, staleMs: 60_000, patienceMs: { usual: 25, stale: 1000 } };

/**
 * Reads what can only be counted now and then, from the stores into gauges, when somebody scrapes. Every process reports
 * the same counts. A store that is away leaves the gauges that need it as they were.
 */
export class GaugeReader {
  readonly #sources: GaugeSources;
  readonly #reading: ReadingOnDemand;
  #pendingRecords = 0;
  #detach: (() => void) | undefined;

  constructor(sources: GaugeSources) {
    this.#sources = sources;
    const { clock, onReadingEnd: onEnd } = sources;
    this.#reading = new ReadingOnDemand({ ...timing, clock, onEnd, read: () => this.#read() });
    sources.bounds.register('outbox', {
      limit: sources.pendingRecordsBound,
      takePeak: () => this.#pendingRecords,
    });
  }

  /** From here on, gauges are up to date when they are scraped. */
  start(): void {
    this.#detach ??= this.#sources.metrics.beforeRender(async () => {
      await this.#reading.refresh();
      this.#showBounds();
    });
  }

  /** Resolves when no store is read any more. */
  async stop(): Promise<void> {
    this.#detach?.();
    await this.#reading.stop();
  }

  async #read(): Promise<void> {
    const ended = await Promise.allSettled([
      this.#readLedger(),
      ...this.#sources.registry.stages.map((stage) => this.#readQueue(stage)),
    ]);
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
  }

  async #readLedger(): Promise<void> {
    const { metrics, exports, calls, registry, capabilities } = this.#sources;
    const [counts, rates, backlog, coverage] = await Promise.all([
      this.#sources.counts.read(),
      this.#sources.backlog.endRates(),
      exports.backlog(),
      calls.measureCoverage(),
    ]);
    const unsettled = counts.filter(({ kind }) => kind === 'unsettled');
    metrics.set('export_pending_records', {}, backlog.records);
    metrics.set('export_lag_seconds', {}, backlog.oldestSeconds);
    metrics.set('calls_unsettled', {}, sumOf(unsettled));
    metrics.set('calls_unsettled_oldest_seconds', {}, oldestOf(unsettled));
    metrics.set('origin_coverage_ratio', {}, coverage);
    this.#pendingRecords = backlog.records;
    for (const stage of registry.stages) {
      this.#setCounts(stage, counts, rates);
    }
    await capabilities.readGauges({ counts, stages: registry.stages });
  }

  #showBounds(): void {
    const { metrics, bounds } = this.#sources;
    for (const [bound, ratio] of bounds.read()) metrics.set('bound_used_ratio', { bound }, ratio);
  }

  async #readQueue({ definition }: RegisteredStage): Promise<void> {
    const { metrics, queues } = this.#sources;
    const labels = { owner: definition.owner, stage: definition.name };
    const jobs = await queues.queue(definition.name).counts();
    metrics.set('queue_jobs', { ...labels, state: 'waiting' }, jobs.waiting);
    metrics.set('queue_jobs', { ...labels, state: 'delayed' }, jobs.delayed);
    metrics.set('queue_jobs', { ...labels, state: 'active' }, jobs.active);
  }

  #setCounts(
    { definition }: RegisteredStage,
    counts: readonly LedgerCount[],
    rates: ReadonlyMap<string, number>,
  ): void {
    const { metrics } = this.#sources;
    const labels = { owner: definition.owner, stage: definition.name };
    const ofStage = counts.filter(({ stage }) => stage === definition.name);
    const ofKind = (wanted: CountedKind): readonly LedgerCount[] =>
      ofStage.filter(({ kind }) => kind === wanted);
    for (const state of backlogStates) {
      const ofState = ofKind(state);
      for (const lane of lanes) {
        const ofLane = ofState.filter((count) => count.lane === lane);
        metrics.set('stage_backlog', { ...labels, lane, state }, sumOf(ofLane));
      }
    }
    const ready = sumOf(ofKind('ready'));
    const oldestSeconds = oldestOf(ofKind('ready'));
    const endsPerSecond = rates.get(definition.name) ?? 0;
    metrics.set('queue_oldest_waiting_seconds', labels, oldestSeconds);
    metrics.set('stage_backlog_seconds', labels, drainSeconds({ ready, endsPerSecond, oldestSeconds }));
    metrics.set('stage_drain_slo_seconds', labels, definition.drainWithinMs / 1000);
  }
}
