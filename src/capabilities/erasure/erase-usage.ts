import type { ColumnStore } from '../../drivers/column-store/column-store.ts';
import { invariant } from '../../kernel/invariant.ts';

/*
 * Erasure in the column store: names go, sums stay to the last decimal. In the tables of records the customer is no key, so
 * a mutation replaces it. In the rollup by customer it is a key, which no mutation can change, so each month's rows are
 * copied under the pseudonym and then deleted. Nothing is exported meanwhile, and only the erasure has its pseudonym:
 *
 *   (none)   the copies that are there are of a try that died: they go, all rows are copied, and the sums compared
 *   copied   the rows under the name go; repeated, it deletes what is left of them
 *   renamed  nothing more to do
 */

/** What is erased; names as they stand in the rows. */
export type UsageSelection =
  | { readonly kind: 'customer'; readonly customer: string; readonly team?: string }
  | { readonly kind: 'team'; readonly team: string }
  | { readonly kind: 'message'; readonly rootId: string };

export type MonthStates = Readonly<Record<string, 'copied' | 'renamed'>>;

export interface UsageErasure {
  readonly selection: UsageSelection;
  readonly pseudonym: string;
  /** How far an earlier try came. */
  readonly months: MonthStates;
  /** Makes durable how far this one came: called before the next step. */
  readonly note: (months: MonthStates) => Promise<void>;
}

const rollupSums = [
  'calls_sum',
  'unpriced_calls_sum',
  'unsettled_calls_sum',
  'tokens_input_sum',
  'tokens_output_sum',
  'cost_usd_sum',
  'upper_bound_usd_sum',
  'waste_usd_sum',
] as const;
const synchronously = 'SETTINGS mutations_sync = 2';

/** Rows of the selection in usage and outcomes. */
export async function countUsage(store: ColumnStore, selection: UsageSelection): Promise<number> {
  let total = 0;
  for (const table of ['usage', 'message_outcomes'])
    total += await count(store, table, conditionOf(selection, ''));
  return total;
}

/** Whether any table, the rollup by customer included, has a row of the selection. */
export async function hasUsage(store: ColumnStore, selection: UsageSelection): Promise<boolean> {
  if ((await countUsage(store, selection)) > 0) return true;
  if (selection.kind === 'message') return false;
  return (await count(store, 'usage_daily_customer', conditionOf(selection, ''))) > 0;
}

/** Erases it from every table. May be repeated at any point. */
export async function eraseUsage(store: ColumnStore, erasure: UsageErasure): Promise<void> {
  const { selection, pseudonym } = erasure;
  const condition = conditionOf(selection, pseudonym);
  const name = selection.kind === 'message' ? '' : `customer = ${literal(pseudonym)}, `;
  const labels = "labels = CAST(map(), 'Map(LowCardinality(String), String)')";
  await mutate(store, 'usage', `UPDATE ${name}item = '', raw_usage = '', ${labels}`, condition);
  await mutate(store, 'message_outcomes', `UPDATE ${name}item = ''`, condition);
  if (selection.kind !== 'message') await renameRollup(store, erasure, condition);
}

async function renameRollup(
  store: ColumnStore,
  { pseudonym, months, note }: UsageErasure,
  condition: string,
): Promise<void> {
  const table = 'usage_daily_customer';
  const target = `${store.database}.${table}`;
  const found = await store.query<{ month: number }>(
    `SELECT DISTINCT toYYYYMM(day) AS month FROM ${target} WHERE ${condition}`,
  );
  let states: MonthStates = months;
  const copies = `customer = ${literal(pseudonym)}`;
  const enter = async (month: string, state: 'copied' | 'renamed'): Promise<void> => {
    states = { ...states, [month]: state };
    await note(states);
  };
  for (const month of new Set([...Object.keys(months), ...found.map((row) => String(row.month))])) {
    invariant(/^\d{6}$/.test(month), `${month} is a month`);
    const within = `toYYYYMM(day) = ${month}`;
    if (states[month] === undefined) {
      await mutate(store, table, 'DELETE', `${copies} AND ${within}`);
      await store.command(
        `INSERT INTO ${target} (day, team, customer, feature, ${rollupSums.join(', ')}) SETTINGS insert_deduplicate = 0
         SELECT day, team, ${literal(pseudonym)}, feature, ${rollupSums.join(', ')} FROM ${target} WHERE ${condition} AND ${within}`,
      );
      const before = await sumsOf(store, `${condition} AND ${within}`);
      const after = await sumsOf(store, `${copies} AND ${within}`);
      invariant(before === after, `the copies of ${month} sum up to ${before}, not ${after}`);
      await enter(month, 'copied');
    }
    if (states[month] === 'copied') {
      await mutate(store, table, 'DELETE', `${condition} AND ${within}`);
      await enter(month, 'renamed');
    }
  }
}

async function sumsOf(store: ColumnStore, condition: string): Promise<string> {
  const sums = rollupSums.map((column) => `sum(${column})`).join(', ');
  const rows = await store.query<{ sums: string }>(
    `SELECT toString(tuple(${sums})) AS sums FROM ${store.database}.usage_daily_customer WHERE ${condition}`,
  );
  return rows[0]?.sums ?? '';
}

async function mutate(store: ColumnStore, table: string, change: string, condition: string): Promise<void> {
  if ((await count(store, table, condition)) === 0) return;
  await store.command(`ALTER TABLE ${store.database}.${table} ${change} WHERE ${condition} ${synchronously}`);
}

async function count(store: ColumnStore, table: string, condition: string): Promise<number> {
  const rows = await store.query<{ found: string }>(
    `SELECT count() AS found FROM ${store.database}.${table} WHERE ${condition}`,
  );
  return Number(rows[0]?.found ?? 0);
}

function conditionOf(selection: UsageSelection, pseudonym: string): string {
  switch (selection.kind) {
    case 'customer':
      return `customer = ${literal(selection.customer)}${selection.team === undefined ? '' : ` AND team = ${literal(selection.team)}`}`;
    case 'team':
      return `team = ${literal(selection.team)} AND customer != ${literal(pseudonym)}`;
    case 'message':
      return `root_id = toUUID(${literal(selection.rootId)})`;
  }
}

/** Statements that change rows take no parameters. */
function literal(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
