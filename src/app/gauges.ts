import type { QueueDriver } from '../drivers/queue/queue.ts';
import type { TurnEnd } from '../kernel/background-loop.ts';
import type { Clock } from '../kernel/clock.ts';
import type { CallLedger } from '../ledger/call-ledger.ts';
import type { DeadLetterCount } from '../ledger/dead-letter.ts';
import type { DeadLetters } from '../ledger/dead-letters.ts';
import type { ExportLedger } from '../ledger/export-ledger.ts';
import {
  type BacklogCount,
  type StageBacklog,
  backlogStates,
  drainSeconds,
} from '../ledger/stage-backlog.ts';
import { lanes } from '../pipeline/lane.ts';
import type { RegisteredStage, StageRegistry } from '../pipeline/stage-registry.ts';
import type { Bounds } from '../telemetry/bounds.ts';
import { metricCatalogue, type MetricDefinition } from '../telemetry/metric-catalogue.ts';
import type { MillraceMetrics } from '../telemetry/metrics.ts';
import { ReadingOnDemand } from './reading-on-demand.ts';

export interface GaugeSources {
  readonly metrics: MillraceMetrics;
  readonly deadLetters: DeadLetters;
  readonly backlog: StageBacklog;
  readonly exports: ExportLedger;
  readonly calls: CallLedger;
  readonly queues: QueueDriver;
  readonly registry: StageRegistry;
  readonly bounds: Bounds;
  /** How many records may wait for the column store. */
  readonly pendingRecordsBound: number;
  readonly clock: Clock;
  readonly onReadingEnd: (end: TurnEnd) => void;
}

/** Ten thousand open messages take the database about ten milliseconds: never more often than every two seconds. */
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
    const { metrics, deadLetters, exports, calls, registry } = this.#sources;
    const [dead, backlogs, rates, backlog, open] = await Promise.all([
      deadLetters.counts(),
      this.#sources.backlog.count(),
      this.#sources.backlog.endRates(),
      exports.backlog(),
      calls.measure(),
    ]);
    metrics.set('export_pending_records', {}, backlog.records);
    metrics.set('export_lag_seconds', {}, backlog.oldestSeconds);
    metrics.set('calls_unsettled', {}, open.unsettled);
    metrics.set('calls_unsettled_oldest_seconds', {}, open.oldestUnsettledSeconds);
    metrics.set('origin_coverage_ratio', {}, open.coverage);
    this.#pendingRecords = backlog.records;
    for (const stage of registry.stages) {
      this.#setDead(stage, dead);
      this.#setBacklog(stage, backlogs, rates);
    }
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

  #setDead({ definition }: RegisteredStage, counts: readonly DeadLetterCount[]): void {
    const { metrics } = this.#sources;
    const labels = { owner: definition.owner, stage: definition.name };
    const dead = counts.find((count) => count.stage === definition.name);
    metrics.set('dlq_depth', labels, dead?.count ?? 0);
    metrics.set('dlq_oldest_age_seconds', labels, dead?.oldestSeconds ?? 0);
  }

  #setBacklog(
    { definition }: RegisteredStage,
    counts: readonly BacklogCount[],
    rates: ReadonlyMap<string, number>,
  ): void {
    const { metrics } = this.#sources;
    const labels = { owner: definition.owner, stage: definition.name };
    const ofStage = counts.filter((count) => count.stage === definition.name);
    for (const lane of lanes) {
      for (const state of backlogStates) {
        const found = ofStage.find((count) => count.lane === lane && count.state === state);
        metrics.set('stage_backlog', { ...labels, lane, state }, found?.count ?? 0);
      }
    }
    const due = ofStage.filter((count) => count.state === 'ready');
    const ready = due.reduce((sum, { count }) => sum + count, 0);
    const oldestSeconds = Math.max(0, ...due.map((count) => count.oldestSeconds));
    const endsPerSecond = rates.get(definition.name) ?? 0;
    metrics.set('queue_oldest_waiting_seconds', labels, oldestSeconds);
    metrics.set('stage_backlog_seconds', labels, drainSeconds({ ready, endsPerSecond, oldestSeconds }));
    metrics.set('stage_drain_slo_seconds', labels, definition.drainWithinMs / 1000);
  }
}

/** Makes every series that is known at start, so that no first increase is lost. */
export function initialiseSeries(
  metrics: MillraceMetrics,
  known: {
    readonly version: string;
    readonly roles: readonly string[];
    readonly stages: readonly RegisteredStage[];
  },
): void {
  for (const role of known.roles) metrics.set('build_info', { version: known.version, role }, 1);
  metrics.set('origin_coverage_ratio', {}, 1);
  const stages = known.stages.map(({ definition }) => ({ owner: definition.owner, stage: definition.name }));
  metrics.initialise('stage_enqueued_total', stages);
  metrics.initialise('retry_cost_usd_total', stages);
  for (const outcome of ['success', 'failed', 'dead_lettered', 'skipped'] as const) {
    metrics.initialise(
      'stage_messages_total',
      stages.map((labels) => ({ ...labels, outcome })),
    );
  }
  for (const reason of metricCatalogue.dlq_messages_total.labels.reason) {
    metrics.initialise(
      'dlq_messages_total',
      stages.map((labels) => ({ ...labels, reason })),
    );
  }
  for (const action of ['replayed', 'discarded'] as const) {
    metrics.initialise(
      'dlq_actions_total',
      stages.map((labels) => ({ ...labels, action })),
    );
  }
  metrics.initialise('lease_lost_total', [{}]);
  metrics.initialise('payloads_removed_total', [{}]);
  for (const reason of ['unpublished', 'expired', 'store_emptied', 'overdue'] as const) {
    metrics.initialise('sweeper_republished_total', [{ reason }]);
  }
  for (const label of openLabels()) metrics.initialise('metric_labels_folded_total', [{ label }]);
  for (const result of ['accepted', 'flushed', 'retried', 'dropped'] as const) {
    metrics.initialise('metering_events_total', [{ result }]);
  }
}

/** The labels that can fold into "other". */
function openLabels(): ReadonlySet<string> {
  const { metric_labels_folded_total: _, ...others } = metricCatalogue;
  const open = Object.values<MetricDefinition>(others).flatMap(({ labels }) =>
    Object.entries(labels).flatMap(([label, values]) => (values === 'open' ? [label] : [])),
  );
  return new Set(open);
}
