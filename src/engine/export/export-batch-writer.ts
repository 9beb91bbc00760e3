import type { ColumnStore } from '../../drivers/column-store/column-store.ts';
import { AppError } from '../../kernel/app-error.ts';
import { invariant } from '../../kernel/invariant.ts';
import type { InsertBatch } from './insert-batch.ts';
import { findMissingLines, type MissingLines } from './missing-lines.ts';

/*
 * Exactly once into ClickHouse. A batch never changes, is inserted with its id as the deduplication token, and carries the id in
 * every row. Whoever cannot rule out an earlier try looks which rows are missing, and then:
 *
 *   1. inserts them under the last token that was used. The table takes the months whose block it does not have. Afterwards it knows
 *      the token in every month that has missing rows: a try of another process that comes later is dropped.
 *   2. if rows are missing still, the table knows the token of a try that died before its rows were there. It will never take them
 *      under it. If no insert of the batch is at work in the server, it never will have been: only that one could still bring them.
 *   3. notes in the ledger that a repair is begun, and inserts what is missing under the batch's next token. One process may note each
 *      repair. Whoever finds it noted begins at 1 with its token, so that a repair that dies is repeated, or followed by another.
 *
 * A table keeps a month's block whole or not at all, so tries of one token bring the same rows, and rows that are there are in none of
 * a later token's. Rollups are projections: they come and go with their rows. Decision 0103 has the crash points.
 */

/** `written`: by this call. `repeated`: some were there. `repaired`: under a new token. `found`: all were there. `at_work`: an earlier insert is still running; look again later. */
export type ExportResult = 'written' | 'repeated' | 'repaired' | 'found' | 'at_work';

/** The ledger's count of repairs of a batch. */
export interface BatchRepairs {
  /** How many were begun. */
  readonly begun: number;
  /** Notes the one of that number, which is one more; false when another process has noted it. */
  begin(number: number): Promise<boolean>;
}

/** That an earlier try, of any process, could have reached the server must be recorded before a first try is made. */
export type WriteOptions =
  { readonly mayHaveBeenTried: false } | { readonly mayHaveBeenTried: true; readonly repairs: BatchRepairs };

/**
 * Brings the batch into ClickHouse once. Throws MILLRACE_COLUMN_STORE_UNAVAILABLE (try again, then with `mayHaveBeenTried`),
 * MILLRACE_COLUMN_STORE_FAILED, or MILLRACE_EXPORT_INCONSISTENT where a person must judge: rows stand under the batch's id that are
 * not its own, or the table is one whose inserts this server alone does not know.
 */
export async function writeBatch(
  store: ColumnStore,
  batch: InsertBatch,
  options: WriteOptions,
): Promise<ExportResult> {
  invariant(batch.rows > 0, `export batch ${batch.id} has rows`);
  if (!options.mayHaveBeenTried) {
    await store.insert({ table: batch.table, lines: batch.lines, deduplicationToken: batch.id });
    return 'written';
  }
  const { repairs } = options;
  const missing = await findMissing(store, batch);
  if (missing.rows === 0) return 'found';
  await insertMissing(store, batch, missing, repairs.begun);
  const dropped = await findMissing(store, batch);
  if (dropped.rows === 0) return missing.rows === batch.rows ? 'written' : 'repeated';
  return repair(store, batch, repairs);
}

async function repair(store: ColumnStore, batch: InsertBatch, repairs: BatchRepairs): Promise<ExportResult> {
  if (await isAtWork(store, batch)) return 'at_work';
  // Only now: an insert that was at work a moment ago may have ended with its rows.
  const missing = await findMissing(store, batch);
  if (missing.rows === 0) return 'repeated';
  const number = repairs.begun + 1;
  if (!(await repairs.begin(number))) return 'at_work';
  await insertMissing(store, batch, missing, number);
  const left = await findMissing(store, batch);
  if (left.rows > 0) throw inconsistent(batch, `${left.rows} are missing after its repair ${number}`);
  return 'repaired';
}

function insertMissing(
  store: ColumnStore,
  { id, table }: InsertBatch,
  { lines }: MissingLines,
  repairNumber: number,
): Promise<void> {
  const deduplicationToken = repairNumber === 0 ? id : `${id}:${repairNumber}`;
  return store.insert({ table, lines, deduplicationToken });
}

async function findMissing(store: ColumnStore, batch: InsertBatch): Promise<MissingLines> {
  const missing = await findMissingLines(store, batch);
  if (missing === undefined)
    throw inconsistent(batch, 'under its id there are rows that are not its own, or one twice');
  return missing;
}

/**
 * Whether an insert of the batch is running: it can have noted its token, and its rows still be to come. Every insert of the server is
 * in its list of processes until its rows are there. The inserts of a replicated or shared table run on other servers too, and such a
 * table notes tokens and parts together.
 */
async function isAtWork(store: ColumnStore, batch: InsertBatch): Promise<boolean> {
  const rows = await store.query<{ engine: string; inserts: string }>(
    `SELECT engine, (SELECT count() FROM system.processes WHERE query_kind = 'Insert' AND position(query, {batch:String}) > 0) AS inserts
     FROM system.tables WHERE database = {database:String} AND name = {table:String}`,
    { batch: batch.id, database: store.database, table: batch.table },
  );
  const [row] = rows;
  if (row?.engine !== 'MergeTree') {
    throw inconsistent(
      batch,
      `the table, which is ${row?.engine ?? 'gone'}, drops rows that it does not have`,
    );
  }
  return Number(row.inserts) > 0;
}

function inconsistent(batch: InsertBatch, why: string): AppError {
  return new AppError(
    'MILLRACE_EXPORT_INCONSISTENT',
    `Export batch ${batch.id} has ${batch.rows} rows for the table ${batch.table}: ${why}.`,
  );
}
