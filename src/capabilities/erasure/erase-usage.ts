import type { ColumnStore } from '../../drivers/column-store/column-store.ts';

/*
 * Erasure in the column store: names go, sums stay to the last decimal. The customer is no key of the tables, so mutations
 * replace it; rollups are projections of them, which the same mutation makes anew, part by part with the rows. Nothing is
 * exported meanwhile, and only the erasure has its pseudonym.
 */

/** What is erased; names as they stand in the rows. */
export type UsageSelection =
  | { readonly kind: 'customer'; readonly customer: string; readonly team?: string }
  | { readonly kind: 'team'; readonly team: string }
  | { readonly kind: 'message'; readonly rootId: string };

export interface UsageErasure {
  readonly selection: UsageSelection;
  readonly pseudonym: string;
}

const synchronously = 'SETTINGS mutations_sync = 2';

/** Rows of the selection in usage and outcomes. */
export async function countUsage(store: ColumnStore, selection: UsageSelection): Promise<number> {
  let total = 0;
  for (const table of ['usage', 'message_outcomes'])
    total += await count(store, table, conditionOf(selection, ''));
  return total;
}

/** Whether any table has a row of the selection. */
export async function hasUsage(store: ColumnStore, selection: UsageSelection): Promise<boolean> {
  return (await countUsage(store, selection)) > 0;
}

/** Erases it from every table. May be repeated at any point. */
export async function eraseUsage(store: ColumnStore, { selection, pseudonym }: UsageErasure): Promise<void> {
  const condition = conditionOf(selection, pseudonym);
  const name = selection.kind === 'message' ? '' : `customer = ${literal(pseudonym)}, `;
  const labels = "labels = CAST(map(), 'Map(LowCardinality(String), String)')";
  await mutate(store, 'usage', `UPDATE ${name}item = '', raw_usage = '', ${labels}`, condition);
  await mutate(store, 'message_outcomes', `UPDATE ${name}item = ''`, condition);
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
