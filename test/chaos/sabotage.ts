import { randomUUID } from 'node:crypto';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import type { SqlDatabase, SqlStatement } from '../../src/drivers/sql-database/sql-database.ts';
import { wrappedDatabase } from './wrapped-database.ts';

/*
 * What can be switched off, to see whether the checks notice. Each works on the drivers, by the names of the statements,
 * and fails loudly when a statement no longer looks as it did: a sabotage that does nothing would prove nothing.
 */

export const sabotages = [
  'fencing-token',
  'journal',
  'deduplication',
  'sweeper',
  'pauses',
  'budgets',
  'failures',
  'suspects',
  'joins',
] as const;
export type Sabotage = (typeof sabotages)[number];

/** The database with these protections taken out. */
export function sabotagedDatabase(database: SqlDatabase, taken: readonly Sabotage[] = []): SqlDatabase {
  return taken.reduce((rest, sabotage) => withoutProtection(rest, sabotage), database);
}

function withoutProtection(database: SqlDatabase, sabotage: Sabotage): SqlDatabase {
  if (sabotage === 'deduplication') return database;
  return wrappedDatabase(database, (inner) => ({
    query: (statement, parameters) =>
      isSilenced(statement.name, sabotage)
        ? Promise.resolve({ rows: [], affected: 0 })
        : inner.query(sabotagedStatement(statement, sabotage), parameters),
    execute: (script) => inner.execute(script),
  }));
}

/** The column store without its memory, where that is taken out: every insert is a new one, and looking finds nothing. */
export function sabotagedColumns(columns: ColumnStore, taken: readonly Sabotage[] = []): ColumnStore {
  if (!taken.includes('deduplication')) return columns;
  return {
    kind: columns.kind,
    database: columns.database,
    query: (sql, parameters) =>
      parameters !== undefined && 'batch' in parameters
        ? Promise.resolve([])
        : columns.query(sql, parameters),
    command: (sql) => columns.command(sql),
    insert: (insert) => columns.insert({ ...insert, deduplicationToken: randomUUID() }),
    ping: () => columns.ping(),
    close: () => columns.close(),
  };
}

const sweeps: ReadonlySet<string> = new Set(['ledger.sweep_messages', 'ledger.list_waiting_stages']);

/** No recorded calls are found; nothing forgotten is found. */
function isSilenced(statement: string, sabotage: Sabotage): boolean {
  if (sabotage === 'journal') return statement === 'ledger.list_calls';
  return sabotage === 'sweeper' && sweeps.has(statement);
}

/** How the statements look at pauses, keep what was spent in budgets, note failures, let joins wait, and mark suspect usage. */
const replaced: Readonly<Record<string, Readonly<Record<string, readonly [string, string]>>>> = {
  pauses: {
    'ledger.claim_messages': ['(select exists (select from millrace.blocks))', 'false'],
    'ledger.reserve_calls': ['(select exists (select from millrace.blocks))', 'false'],
    'ledger.reserve_quota_calls': ['(select exists (select from millrace.blocks))', 'false'],
  },
  budgets: {
    'ledger.settle_quota_calls': ['spent = w.spent + m.becomes', 'spent = w.spent'],
  },
  failures: {
    'ledger.retry_messages': ['true, f.detail', `true, '{"chain":[]}'`],
  },
  joins: {
    'ledger.finish_messages': ['else e.parked_for end, e.parked_for,', 'else null end, null,'],
  },
  suspects: {
    'ledger.settle_calls': ['coalesce(s.is_suspect, false)', 'false'],
    'ledger.settle_quota_calls': ['coalesce(s.is_suspect, false)', 'false'],
  },
};

function sabotagedStatement(statement: SqlStatement, sabotage: Sabotage): SqlStatement {
  if (sabotage === 'fencing-token') return withoutFencingToken(statement);
  const [from, to] = replaced[sabotage]?.[statement.name] ?? [];
  if (from === undefined || to === undefined) return statement;
  if (!statement.text.includes(from)) throw new Error(`${statement.name} no longer says "${from}"`);
  return { name: statement.name, text: statement.text.replaceAll(from, to) };
}

/** How each guarded statement asks for the fencing token. */
const fencingTokenConditions: Readonly<Record<string, string>> = {
  'ledger.finish_messages': 'm.id = f.id and m.fencing_token = f.fencing_token',
  'ledger.retry_messages': 'm.id = f.id and m.fencing_token = f.fencing_token',
  'ledger.end_messages': 'm.id = f.id and m.fencing_token = f.fencing_token',
  'ledger.reserve_calls': 'm.fencing_token = r.fencing_token and m.state',
};

function withoutFencingToken(statement: SqlStatement): SqlStatement {
  const condition = fencingTokenConditions[statement.name];
  if (condition === undefined) return statement;
  if (!statement.text.includes(condition)) throw new Error(`${statement.name} no longer says "${condition}"`);
  const text = statement.text.replace(
    condition,
    condition.replace(/(?: and )?m\.fencing_token = \w\.fencing_token(?: and )?/, ''),
  );
  return { name: statement.name, text };
}
