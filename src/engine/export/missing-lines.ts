import type { ColumnStore } from '../../drivers/column-store/column-store.ts';
import { invariant } from '../../kernel/invariant.ts';
import type { InsertBatch } from './insert-batch.ts';

/*
 * Which lines of a batch have no row in its table. Rows and lines are matched by what names a record, each row with one line. A row
 * that no line of the batch fits says that the table has something else than this batch's own rows.
 */

/** What names a record of a table: of a message that ended more than once, the end is named too. Texts in both, as the engine writes them. */
const keyFields = {
  usage: ['record_id'],
  message_outcomes: ['message_id', 'ts', 'outcome'],
} as const satisfies Record<InsertBatch['table'], readonly string[]>;

type Fields = Readonly<Record<string, unknown>>;

export interface MissingLines {
  readonly rows: number;
  /** As bound, each with its newline. */
  readonly lines: string;
}

/** Undefined: some rows under the batch's id are none of its lines, or one of them is there twice. */
export async function findMissingLines(
  store: ColumnStore,
  batch: InsertBatch,
): Promise<MissingLines | undefined> {
  // Mostly all or none: then the table's skip index makes it quick, and no row is compared.
  const found = await countRows(store, batch);
  if (found === batch.rows) return { rows: 0, lines: '' };
  if (found === 0) return { rows: batch.rows, lines: batch.lines };
  return found > batch.rows ? undefined : compareRows(store, batch);
}

async function countRows(store: ColumnStore, batch: InsertBatch): Promise<number> {
  const rows = await store.query<{ found: string }>(
    `SELECT count() AS found FROM ${store.database}.${batch.table} WHERE export_batch = {batch:UUID}`,
    { batch: batch.id },
  );
  return Number(rows[0]?.found ?? 0);
}

async function compareRows(store: ColumnStore, batch: InsertBatch): Promise<MissingLines | undefined> {
  const fields = keyFields[batch.table];
  const rows = await store.query<Fields>(
    `SELECT ${fields.join(', ')} FROM ${store.database}.${batch.table} WHERE export_batch = {batch:UUID}`,
    { batch: batch.id },
  );
  const unmatched = new Map<string, number>();
  for (const row of rows) {
    const key = keyOf(fields, row);
    unmatched.set(key, (unmatched.get(key) ?? 0) + 1);
  }
  const lines = batch.lines.match(/[^\n]+\n/g) ?? [];
  invariant(lines.length === batch.rows, `export batch ${batch.id} has as many lines as rows`);
  const missing = lines.filter((line) => {
    const key = keyOf(fields, fieldsOf(line));
    const left = unmatched.get(key) ?? 0;
    if (left > 0) unmatched.set(key, left - 1);
    return left === 0;
  });
  const isOwn = missing.length + rows.length === batch.rows;
  return isOwn ? { rows: missing.length, lines: missing.join('') } : undefined;
}

function keyOf(fields: readonly string[], values: Fields): string {
  return JSON.stringify(fields.map((name) => values[name]));
}

function fieldsOf(line: string): Fields {
  const parsed: unknown = JSON.parse(line);
  invariant(typeof parsed === 'object' && parsed !== null, 'a line of a batch is a JSON object');
  return { ...parsed };
}
