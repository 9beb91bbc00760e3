import type { ColumnStore } from '../../drivers/column-store/column-store.ts';
import { deduplicationWindowBlocks } from '../../drivers/column-store/column-migrator.ts';
import { AppError } from '../../kernel/app-error.ts';
import { invariant } from '../../kernel/invariant.ts';
import type { InsertBatch } from './insert-batch.ts';

/*
 * Exactly once into ClickHouse. A batch never changes, is inserted with its id as the deduplication token, and carries
 * the id in every row. Whoever cannot rule out an earlier try looks first:
 *
 *   no row there                    insert
 *   all rows there                  no insert: whether the table still knows the batch's token does not matter
 *   some rows there, token known    insert again: the table drops the blocks it has and takes those it lacks. A death in
 *                                   mid-insert can leave a month of the batch without its block; only repeating the
 *                                   insert brings it there
 *
 * In each of these cases all rows must be there afterwards. Rollups are projections: they come and go with their rows.
 *
 *   anything else                  MILLRACE_EXPORT_INCONSISTENT, loud, for a person to judge
 */

/** `written`: by this call. `repeated`: some rows were there and the insert was made again. `found`: all were there. */
export type ExportResult = 'written' | 'repeated' | 'found';

// A batch makes one block a month and table. With no more than this many batches since, every table still has its
// token, even if each of them spanned ten months.
const maxBatchesToRepeatAfter = deduplicationWindowBlocks / 10;

export interface WriteOptions {
  readonly mayHaveBeenTried: boolean;
}

/**
 * Brings the batch into ClickHouse once. `mayHaveBeenTried` says that an earlier try, of any process, could have
 * reached the server: it must be recorded before a first try is made. Throws MILLRACE_COLUMN_STORE_UNAVAILABLE (try again,
 * then with `mayHaveBeenTried`), MILLRACE_COLUMN_STORE_FAILED or MILLRACE_EXPORT_INCONSISTENT.
 */
export async function writeBatch(
  store: ColumnStore,
  batch: InsertBatch,
  { mayHaveBeenTried }: WriteOptions,
): Promise<ExportResult> {
  invariant(batch.rows > 0, `export batch ${batch.id} has rows`);
  if (!mayHaveBeenTried) {
    await insert(store, batch);
    return 'written';
  }
  const found = await countRows(store, batch);
  if (found === batch.rows) return 'found';
  if (found > batch.rows) throw inconsistent(batch, found);
  // Repeating could count the rows that are there twice.
  const isForgotten = found > 0 && (await countBatchesSince(store, batch)) > maxBatchesToRepeatAfter;
  if (isForgotten) throw inconsistent(batch, found);
  await insert(store, batch);
  await requireAll(store, batch);
  return found === 0 ? 'written' : 'repeated';
}

/** A table that remembers the token of a try that died before its rows were there drops the repeat: that must not go unseen. */
async function requireAll(store: ColumnStore, batch: InsertBatch): Promise<void> {
  const found = await countRows(store, batch);
  if (found !== batch.rows) throw inconsistent(batch, found);
}

function insert(store: ColumnStore, batch: InsertBatch): Promise<void> {
  return store.insert({ table: batch.table, lines: batch.lines, deduplicationToken: batch.id });
}

/** Rows of the batch in its table; the table's skip index makes this quick. */
async function countRows(store: ColumnStore, batch: InsertBatch): Promise<number> {
  const rows = await store.query<{ found: string }>(
    `SELECT count() AS found FROM ${store.database}.${batch.table} WHERE export_batch = {batch:UUID}`,
    { batch: batch.id },
  );
  return Number(rows[0]?.found ?? 0);
}

/** Batches that came into the table at or after the first row of this one, itself among them. */
async function countBatchesSince(store: ColumnStore, batch: InsertBatch): Promise<number> {
  const table = `${store.database}.${batch.table}`;
  const rows = await store.query<{ batches: string }>(
    `SELECT uniqExact(export_batch) AS batches FROM ${table} WHERE inserted_at >=
      (SELECT min(inserted_at) FROM ${table} WHERE export_batch = {batch:UUID})`,
    { batch: batch.id },
  );
  return Number(rows[0]?.batches ?? 0);
}

function inconsistent(batch: InsertBatch, found: number): AppError {
  return new AppError(
    'MILLRACE_EXPORT_INCONSISTENT',
    `Export batch ${batch.id} has ${batch.rows} rows, but ${found} of it are in the table ${batch.table}.`,
  );
}
