import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { spendRollups } from '../../src/capabilities/costs/spend-rows.ts';
import { rollupTotals } from '../support/spend-rollups.ts';

/* What the tests of erasure look at in real stores. */

interface ErasedStores {
  readonly database: SqlDatabase;
  readonly columns: ColumnStore;
}

/** Everything that stands anywhere, as text. */
export async function everythingIn({
  database,
  columns,
  directory,
}: ErasedStores & { readonly directory: string }): Promise<string> {
  const parts: string[] = [];
  const { rows: tables } = await database.query<{ name: string }>({
    name: 'test.tables',
    text: `select table_name as name from information_schema.tables where table_schema = 'millrace' order by 1`,
  });
  expect(tables.length).toBeGreaterThan(10);
  for (const { name } of tables) {
    const { rows } = await database.query({
      name: `test.all_${name}`,
      text: `select * from millrace.${name}`,
    });
    parts.push(JSON.stringify(rows));
  }
  const stored = await columns.query<{ name: string }>(
    `SELECT name FROM system.tables WHERE database = 'millrace' AND engine LIKE '%MergeTree'`,
  );
  expect(stored.map(({ name }) => name)).toEqual(expect.arrayContaining(['usage', 'message_outcomes']));
  for (const { name } of stored)
    parts.push(JSON.stringify(await columns.query(`SELECT * FROM millrace.${name}`)));
  const { projection, time, keys } = spendRollups.customers;
  const customers = await columns.query(
    `SELECT ${[`\`${time}\``, ...keys].join(', ')} FROM mergeTreeProjection(millrace, usage, ${projection})`,
  );
  parts.push(JSON.stringify(customers));
  for (const file of await readdir(join(directory, 'payloads'), { recursive: true, withFileTypes: true })) {
    if (file.isFile()) parts.push(await readFile(join(file.parentPath, file.name), 'utf8'));
  }
  return parts.join('\n');
}

/** Every sum that a report can ask for, the ledger's and the column store's. */
export async function sumsIn({
  database,
  columns,
}: ErasedStores): Promise<Readonly<Record<string, unknown>>> {
  const ledger = await database.query({
    name: 'test.sums',
    text: `select count(*)::text as calls, trim_scale(sum(cost_usd))::text as usd from millrace.calls`,
  });
  const usage = await columns.query(
    'SELECT toString(sum(calls)) AS calls, toString(sum(cost_usd)) AS usd FROM millrace.usage',
  );
  const parts = Object.entries(spendRollups.customers.aggregates)
    .map(([name, sum]) => `${sum} AS ${name}`)
    .join(', ');
  const from = 'FROM millrace.usage GROUP BY team, day, feature ORDER BY team, day, feature';
  const daily = await columns.query(
    `SELECT team, ${spendRollups.customers.time} AS day, feature, ${parts} ${from} SETTINGS force_optimize_projection = 1`,
  );
  const rollups = await rollupTotals(columns);
  const outcomes = await columns.query(
    'SELECT team, count() AS n FROM millrace.message_outcomes GROUP BY team ORDER BY team',
  );
  return { ledger: ledger.rows, usage, daily, rollups, outcomes };
}

/** A column store that dies at its n-th change, before or after the change is made. */
export function columnsDyingAt(columns: ColumnStore, step: number, isDone: boolean): ColumnStore {
  let changes = 0;
  return {
    kind: columns.kind,
    database: columns.database,
    query: (sql, parameters) => columns.query(sql, parameters),
    insert: (insert) => columns.insert(insert),
    ping: () => columns.ping(),
    close: () => Promise.resolve(),
    command: async (sql) => {
      changes += 1;
      if (changes === step && !isDone) throw new Error('died');
      await columns.command(sql);
      if (changes === step) throw new Error('died');
    },
  };
}
