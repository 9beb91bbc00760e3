import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import type { BatchMetrics } from '../batch-metrics.ts';
import { openProviderBatchStates } from '../provider/provider-batch-state.ts';
import { readChunks, readOpenBatches, readProviderBatches } from './gauges-sql.ts';

interface OpenRow {
  readonly receiving: number;
  readonly running: number;
  readonly paused: number;
  readonly halted: number;
  readonly cancelling: number;
  readonly open_items: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly expired: number;
  readonly cancelled: number;
  readonly skipped: number;
  readonly late: number;
  readonly oldest_seconds: number;
  readonly quiet_seconds: number;
}

interface ChunksRow {
  readonly waiting: number;
  readonly running: number;
  readonly running_items: number;
  readonly failed: number;
}

interface ProviderRow {
  readonly state: string;
  readonly batches: number;
  readonly oldest_seconds: number;
  readonly hindered_seconds: number;
}

/** Shows how the open batches stand, when somebody scrapes. */
export class BatchGauges {
  readonly #database: SqlDatabase;
  readonly #metrics: BatchMetrics;

  constructor(database: SqlDatabase, metrics: BatchMetrics) {
    this.#database = database;
    this.#metrics = metrics;
  }

  async show(): Promise<void> {
    const [open, chunks, providers] = await Promise.all([
      this.#database.query<OpenRow>(readOpenBatches),
      this.#database.query<ChunksRow>(readChunks),
      this.#database.query<ProviderRow>(readProviderBatches),
    ]);
    const [batches] = open.rows;
    const [parts] = chunks.rows;
    if (batches !== undefined && parts !== undefined) this.#showBatches(batches, parts);
    this.#showProviderBatches(providers.rows);
  }

  #showBatches(batches: OpenRow, chunks: ChunksRow): void {
    const metrics = this.#metrics;
    for (const state of ['receiving', 'running', 'paused', 'halted', 'cancelling'] as const)
      metrics.set('batches', { state }, batches[state]);
    for (const state of ['succeeded', 'failed', 'expired', 'cancelled', 'skipped'] as const)
      metrics.set('batch_items', { state }, batches[state]);
    // Read by two statements, between which a chunk may have begun.
    const running = Math.min(chunks.running_items, batches.open_items);
    metrics.set('batch_items', { state: 'running' }, running);
    metrics.set('batch_items', { state: 'waiting' }, batches.open_items - running);
    for (const state of ['waiting', 'running', 'failed'] as const)
      metrics.set('batch_chunks', { state }, chunks[state]);
    metrics.set('batches_deadline_at_risk', {}, batches.late);
    metrics.set('batch_oldest_open_seconds', {}, Math.max(0, batches.oldest_seconds));
    metrics.set('batch_quiet_seconds', {}, Math.max(0, batches.quiet_seconds));
  }

  #showProviderBatches(rows: readonly ProviderRow[]): void {
    const ages = rows.flatMap((row) => (row.state === 'unresolved' ? [] : [row.oldest_seconds]));
    for (const state of openProviderBatchStates) {
      const batches = rows.find((row) => row.state === state)?.batches ?? 0;
      this.#metrics.set('provider_batches', { state }, batches);
    }
    this.#metrics.set('provider_batch_oldest_open_seconds', {}, Math.max(0, ...ages));
    const hindered = rows.map((row) => row.hindered_seconds);
    this.#metrics.set('provider_batch_hindered_seconds', {}, Math.max(0, ...hindered));
  }
}
