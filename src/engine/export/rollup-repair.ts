import type { ColumnStore } from '../../drivers/column-store/column-store.ts';
import { invariant } from '../../kernel/invariant.ts';

/*
 * Rollups that a death kept from a batch for good. ClickHouse writes a block's token into a table's deduplication log before
 * the block itself is there. A process that is killed between the two leaves a token without rows, and a repeated insert is
 * then dropped by that table as one it has. So where a batch may have been tried before, the rollups are held against the
 * rows they sum up, hour by hour, day by day and tag by tag of the batch. Where exactly the batch's own share is missing, it
 * is added. Any other difference is left alone: another process may be in mid-insert.
 */

interface Rollup {
  readonly view: string;
  readonly table: string;
  /** The key of a row of `usage`, and the column of the rollup that holds it. */
  readonly key: string;
  readonly column: string;
  /** Which rows of the batch it sums up. */
  readonly counts: string;
  /** What rows with the keys of the batch have in common, so that few parts are read. */
  readonly near: (ofBatch: (aggregate: string) => string) => string;
}

const withinDays: Rollup['near'] = (ofBatch) =>
  `ts >= ${ofBatch('min(ts)')} - INTERVAL 1 DAY AND ts <= ${ofBatch('max(ts)')} + INTERVAL 1 DAY`;

const rollups: readonly Rollup[] = [
  {
    view: 'usage_hourly_view',
    table: 'usage_hourly',
    key: 'toStartOfHour(ts)',
    column: 'hour',
    counts: 'true',
    near: withinDays,
  },
  {
    view: 'usage_daily_customer_view',
    table: 'usage_daily_customer',
    key: "toDate(ts, 'UTC')",
    column: 'day',
    counts: 'true',
    near: withinDays,
  },
  {
    view: 'usage_batches_view',
    table: 'usage_batches',
    key: 'batch',
    column: 'batch',
    counts: "batch != ''",
    near: () => 'true',
  },
];

/** Adds what the rollups lack of a batch whose rows are all in `usage`; answers the names of those that lacked something. */
export async function repairRollups(store: ColumnStore, batch: string): Promise<readonly string[]> {
  const repaired: string[] = [];
  for (const rollup of rollups) {
    const keys = await keysWithout(store, rollup, batch);
    if (keys.length === 0) continue;
    await store.command(await additionOf(store, rollup, batch, keys));
    repaired.push(rollup.table);
  }
  return repaired;
}

/** The keys of the batch at which the rollup lacks exactly what the batch brings, in calls and in money. */
async function keysWithout(
  store: ColumnStore,
  { table, key, column, counts, near }: Rollup,
  batch: string,
): Promise<readonly string[]> {
  const { database } = store;
  const ofBatch = (what: string): string =>
    `(SELECT ${what} FROM ${database}.usage WHERE export_batch = {batch:UUID} AND ${counts})`;
  const keys = ofBatch(`DISTINCT ${key}`);
  const own = (value: string): string => `if(export_batch = {batch:UUID}, ${value}, 0)`;
  const usd = 'ifNull(cost_usd, 0) + ifNull(upper_bound_usd, 0)';
  const rows = await store.query<{ key: string }>(
    `SELECT toString(k) AS key FROM (
       SELECT ${key} AS k, toInt64(calls) AS due_calls, toInt64(${own('calls')}) AS own_calls,
         toDecimal128(${usd}, 18) AS due_usd, toDecimal128(${own(usd)}, 18) AS own_usd
       FROM ${database}.usage WHERE ${key} IN ${keys} AND ${near(ofBatch)}
       UNION ALL
       SELECT ${column}, -toInt64(calls_sum), toInt64(0), -toDecimal128(cost_usd_sum + upper_bound_usd_sum, 18), toDecimal128(0, 18)
       FROM ${database}.${table} WHERE ${column} IN ${keys})
     GROUP BY k
     HAVING sum(due_calls) = sum(own_calls) AND sum(due_usd) = sum(own_usd) AND (sum(own_calls) != 0 OR sum(own_usd) != 0)`,
    { batch },
  );
  return rows.map((row) => row.key);
}

/** The rollup's own view over the rows of the batch. Without deduplication: what is there was looked at just now. */
async function additionOf(
  store: ColumnStore,
  { view, table, key }: Rollup,
  batch: string,
  keys: readonly string[],
): Promise<string> {
  const { database } = store;
  const [row] = await store.query<{ definition: string }>(
    `SELECT as_select AS definition FROM system.tables WHERE database = '${database}' AND name = '${view}'`,
  );
  const source = new RegExp(`FROM\\s+\`?${database}\`?\\.\`?usage\`?(?=\\s)`);
  const definition = row?.definition ?? '';
  invariant(source.test(definition), `the view ${view} reads ${database}.usage: ${definition}`);
  const texts = keys.map((text) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`).join(', ');
  const select = definition.replace(
    source,
    () =>
      `FROM (SELECT * FROM ${database}.usage WHERE export_batch = '${batch}' AND toString(${key}) IN (${texts})) AS usage`,
  );
  return `INSERT INTO ${database}.${table} SETTINGS insert_deduplicate = 0 ${select}`;
}
