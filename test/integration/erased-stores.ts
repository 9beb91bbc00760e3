import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';

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
  const views = await columns.query<{ name: string }>(
    `SELECT name FROM system.tables WHERE database = 'millrace' AND engine LIKE '%MergeTree'`,
  );
  expect(views.length).toBeGreaterThan(4);
  for (const { name } of views) {
    const rows = await columns.query(
      name === 'usage_hourly'
        ? 'SELECT * EXCEPT duration_ms_state FROM millrace.usage_hourly'
        : `SELECT * FROM millrace.${name}`,
    );
    parts.push(JSON.stringify(rows));
  }
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
  const daily = await columns.query(
    'SELECT team, day, feature, sum(calls_sum) AS c, sum(cost_usd_sum) AS u, sum(upper_bound_usd_sum) AS b, sum(waste_usd_sum) AS w, sum(tokens_input_sum) AS i, sum(tokens_output_sum) AS o FROM millrace.usage_daily_customer GROUP BY team, day, feature ORDER BY team, day, feature',
  );
  const hourly = await columns.query(
    'SELECT team, sum(calls_sum) AS c, sum(cost_usd_sum) AS u FROM millrace.usage_hourly GROUP BY team ORDER BY team',
  );
  const outcomes = await columns.query(
    'SELECT team, count() AS n FROM millrace.message_outcomes GROUP BY team ORDER BY team',
  );
  return { ledger: ledger.rows, usage, daily, hourly, outcomes };
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
