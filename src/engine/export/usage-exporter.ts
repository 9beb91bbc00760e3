import type { ColumnStore } from '../../drivers/column-store/column-store.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import { type OutboxBatch, type ExportLedger, type ExportTarget, exportTargets } from './export-ledger.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { EngineMetrics } from '../metrics/engine-metrics.ts';
import { writeBatch } from './export-batch-writer.ts';
import { RefusedBatches } from './refused-batches.ts';
import { bindLines } from './row-text.ts';
import { Peak } from '../../telemetry/bounds.ts';
import type { EngineBounds } from '../metrics/engine-bounds.ts';

export interface UsageExporterOptions {
  readonly ledger: ExportLedger;
  readonly store: ColumnStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: EngineMetrics;
  readonly bounds?: EngineBounds;
  /** The most rows in one batch. Default 20,000. */
  readonly batchRows?: number;
}

const defaultBatchRows = 20_000;

const countedAs = {
  written: 'inserted',
  repeated: 'already_there',
  found: 'already_there',
  repaired: 'repaired',
} as const;
/** So that one table does not keep the other waiting for long. */
const batchesPerTurn = 20;

/**
 * Moves usage records and message outcomes from the ledger into the column store, each exactly once: bound to a batch
 * that never changes, inserted under its id, looked for before it is ever inserted again.
 */
export class UsageExporter {
  readonly #options: UsageExporterOptions;
  readonly #batchPeak = new Peak();
  readonly #refused = new RefusedBatches();
  /** The turn that runs, or the last one. */
  #turns: Promise<unknown> = Promise.resolve();

  constructor(options: UsageExporterOptions) {
    this.#options = options;
    options.bounds?.register('export_batch', {
      limit: options.batchRows ?? defaultBatchRows,
      takePeak: () => this.#batchPeak.take(0),
    });
  }

  /**
   * One turn: batches that were bound before, then new ones. True when there is more to do at once. Turns of a process go one after another: whoever
   * drains waits for a batch that another caller's turn has bound and is writing.
   */
  exportNext(): Promise<boolean> {
    const turn = this.#turns.then(() => this.#turn());
    // How it ended is for whoever asked for it.
    this.#turns = turn.catch(() => undefined);
    return turn;
  }

  async #turn(): Promise<boolean> {
    await this.#writeOpen();
    let hasMore = false;
    for (const target of exportTargets) hasMore = (await this.#exportTarget(target)) || hasMore;
    return hasMore;
  }

  /** While one batch is inserted, the next is being bound. */
  async #exportTarget(target: ExportTarget): Promise<boolean> {
    const { metrics, batchRows = defaultBatchRows } = this.#options;
    let batch = await this.#bind(target);
    for (let written = 0; batch !== undefined; written += 1) {
      metrics.increment('metering_events_total', { result: 'accepted' }, batch.lines.length);
      this.#batchPeak.note(batch.lines.length);
      const isFull = batch.lines.length === batchRows;
      const mayGoOn = isFull && written + 1 < batchesPerTurn;
      // If this insert fails, what was bound meanwhile is an open batch of the next turn.
      const [next] = await Promise.all([mayGoOn ? this.#bind(target) : undefined, this.#write(batch, false)]);
      if (!mayGoOn) return isFull;
      batch = next;
    }
    return false;
  }

  #bind(target: ExportTarget): Promise<OutboxBatch | undefined> {
    const { ledger, clock, batchRows = defaultBatchRows } = this.#options;
    return ledger.bind(newId(clock.now()), target, batchRows);
  }

  /** A batch that the column store refuses stays where it is, loudly, is tried again less and less often, and holds up nothing but itself. */
  async #writeOpen(): Promise<void> {
    const { ledger, logger, clock } = this.#options;
    const open = await ledger.listOpen(100);
    for (const one of this.#refused.due(open, clock.monotonicMs())) {
      try {
        const batch = await ledger.read(one);
        if (batch === undefined || (await this.#write(batch, true))) continue;
        const againInMs = this.#refused.note(one.id, clock.monotonicMs());
        logger.info(
          { exportBatch: one.id, table: one.target, againInMs },
          'an earlier insert of an export batch is still running',
        );
      } catch (error) {
        if (!(error instanceof AppError) || error.retryable) throw error;
        const againInMs = this.#refused.note(one.id, clock.monotonicMs());
        logger.error(
          { error, exportBatch: one.id, table: one.target, againInMs },
          'the column store refuses an export batch',
        );
      }
    }
  }

  /** Exports until nothing is left. Throws when the column store cannot be reached. */
  async drain(): Promise<void> {
    while (await this.exportNext());
  }

  /**
   * False when an earlier insert of it is still running. A batch that was bound by this very turn cannot have been tried before; any other
   * may have been.
   */
  async #write(batch: OutboxBatch, mayHaveBeenTried: boolean): Promise<boolean> {
    const { ledger, store, logger, metrics } = this.#options;
    const { id, target: table } = batch;
    const rows = batch.lines.length;
    const repairs = {
      begun: batch.repairs,
      begin: (number: number): Promise<boolean> => ledger.beginRepair(id, number),
    };
    try {
      const result = await writeBatch(
        store,
        { id, table, rows, lines: bindLines(id, batch.lines) },
        mayHaveBeenTried ? { mayHaveBeenTried, repairs } : { mayHaveBeenTried },
      );
      if (result === 'at_work') return false;
      if (result === 'repaired') {
        logger.warn(
          { exportBatch: id, table },
          'rows of an export batch that an insert had lost were inserted anew',
        );
      }
      await ledger.markExported(id);
      metrics.increment('export_batches_total', { table, result: countedAs[result] });
      metrics.increment('metering_events_total', { result: 'flushed' }, rows);
      return true;
    } catch (error) {
      metrics.increment('export_batches_total', { table, result: 'failed' });
      metrics.increment('metering_events_total', { result: 'retried' }, rows);
      await ledger.noteFailure(id, error instanceof Error ? error.message : String(error));
      throw error;
    }
  }
}
