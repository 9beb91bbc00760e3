import type { ColumnStore } from '../drivers/column-store/column-store.ts';
import { AppError } from '../kernel/app-error.ts';
import type { Clock } from '../kernel/clock.ts';
import { newId } from '../kernel/ids.ts';
import { type ExportBatch, type ExportLedger, exportTargets } from '../ledger/export-ledger.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from '../telemetry/metrics.ts';
import { writeBatch } from '../usage/export-batch-writer.ts';

export interface UsageExporterOptions {
  readonly ledger: ExportLedger;
  readonly store: ColumnStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: MillraceMetrics;
  /** The most rows in one batch. Default 20,000. */
  readonly batchRows?: number;
}

/**
 * Moves usage records and message outcomes from the ledger into the column store, each exactly once: bound to a batch
 * that never changes, inserted under its id, looked for before it is ever inserted again.
 */
export class UsageExporter {
  readonly #options: UsageExporterOptions;

  constructor(options: UsageExporterOptions) {
    this.#options = options;
  }

  /** One turn: batches that were bound before, then new ones. True when there is more to do at once. */
  async exportNext(): Promise<boolean> {
    const { ledger, clock, metrics, batchRows = 20_000 } = this.#options;
    await this.#writeOpen();
    let hasMore = false;
    for (const target of exportTargets) {
      const batch = await ledger.bind(newId(clock.now()), target, batchRows);
      if (batch === undefined) continue;
      metrics.increment('metering_events_total', { result: 'accepted' }, batch.rows);
      await this.#write(batch, false);
      hasMore ||= batch.rows === batchRows;
    }
    return hasMore;
  }

  /** A batch that the column store refuses stays where it is, loudly, and holds up nothing but itself. */
  async #writeOpen(): Promise<void> {
    const { ledger, logger } = this.#options;
    for (const batch of await ledger.listOpen(100)) {
      try {
        await this.#write(batch, true);
      } catch (error) {
        if (!(error instanceof AppError) || error.retryable) throw error;
        logger.error({ error, exportBatch: batch.id, table: batch.target, rows: batch.rows }, 'the column store refuses an export batch');
      }
    }
  }

  /** Exports until nothing is left. Throws when the column store cannot be reached. */
  async drain(): Promise<void> {
    while (await this.exportNext());
  }

  /** A batch that was bound by this very turn cannot have been tried before; any other may have been. */
  async #write(batch: ExportBatch, mayHaveBeenTried: boolean): Promise<void> {
    const { ledger, store, metrics } = this.#options;
    const { id, target: table, rows, lines } = batch;
    try {
      const result = await writeBatch(store, { id, table, rows, lines }, { mayHaveBeenTried });
      await ledger.markExported(id);
      metrics.increment('export_batches_total', { table, result: result === 'written' ? 'inserted' : 'already_there' });
      metrics.increment('metering_events_total', { result: 'flushed' }, rows);
    } catch (error) {
      metrics.increment('export_batches_total', { table, result: 'failed' });
      metrics.increment('metering_events_total', { result: 'retried' }, rows);
      await ledger.noteFailure(id, error instanceof Error ? error.message : String(error));
      throw error;
    }
  }
}
