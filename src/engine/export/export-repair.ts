import type { ColumnStore } from '../../drivers/column-store/column-store.ts';
import { z } from 'zod';
import type { InsertBatch } from './insert-batch.ts';

/*
 * A table can remember the token of a block that it does not have: the token is written before the block, and a server that
 * is killed between the two, loses a part, or has its rows deleted, keeps the token alone. Such a block is inserted
 * again, with only the rows that are missing and under a token of its own.
 *
 * The tokens of repairs are numbered, and not made up: whoever repairs the same batch at the same time uses the same ones, and the
 * table takes a block of them once. Only when that one, too, turns out to be remembered without its rows, the next number is used.
 */

/** What says which row of a batch a line is. */
const keysOf = {
  usage: ['record_id'],
  message_outcomes: ['message_id', 'ts'],
} as const satisfies Record<InsertBatch['table'], readonly string[]>;

const rowSchema = z.record(z.string(), z.unknown());

/** How often a token of a repair may be remembered without its rows, too. */
const maxRepairs = 3;

/**
 * Whether rows that are not there will not come by themselves. A replica drops a token that another one has taken before it
 * has the rows itself, and an insert that somebody gave up on may still be under way: what seems to be missing may
 * only not have come yet, and must not be inserted.
 */
export async function isRepairable(store: ColumnStore, { id, table }: InsertBatch): Promise<boolean> {
  const rows = await store.query<{ engine: string; inserts: string }>(
    `SELECT engine, (SELECT count() FROM system.processes WHERE query_kind = 'Insert' AND position(query, {id:String}) > 0) AS inserts
      FROM system.tables WHERE database = {database:String} AND name = {table:String}`,
    { database: store.database, table, id },
  );
  return rows[0]?.engine === 'MergeTree' && rows[0].inserts === '0';
}

/** Inserts what the table lacks of the batch. Answers how many of its rows are there then. */
export async function repairBatch(
  store: ColumnStore,
  batch: InsertBatch,
  count: () => Promise<number>,
): Promise<number> {
  let found = await count();
  for (let repair = 1; repair <= maxRepairs && found < batch.rows; repair += 1) {
    const missing = await missingLines(store, batch);
    // Rows that are there twice, or are not of the batch: nothing that an insert sets right.
    if (found + missing.length !== batch.rows) return found;
    const deduplicationToken = `${batch.id}:repair-${repair}`;
    await store.insert({ table: batch.table, lines: missing.join(''), deduplicationToken });
    found = await count();
  }
  return found;
}

async function missingLines(store: ColumnStore, batch: InsertBatch): Promise<readonly string[]> {
  const keys = keysOf[batch.table];
  const rows = await store.query<Record<string, string>>(
    `SELECT ${keys.map((key) => `toString(${key}) AS ${key}_text`).join(', ')} FROM ${store.database}.${batch.table}
      WHERE export_batch = {batch:UUID}`,
    { batch: batch.id },
  );
  const present = new Set(rows.map((row) => JSON.stringify(keys.map((key) => row[`${key}_text`]))));
  const lines = batch.lines.split(/(?<=\n)/);
  return lines.filter((line) => {
    const row = rowSchema.parse(JSON.parse(line));
    return !present.has(JSON.stringify(keys.map((key) => row[key])));
  });
}
