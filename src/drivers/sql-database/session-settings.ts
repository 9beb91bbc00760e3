import { AppError } from '../../kernel/app-error.ts';
import { pooled } from './sql-error.ts';
import type { SqlDatabase, SqlStatement } from './sql-database.ts';

/*
 * What a session must be set to for the ledger's statements to mean and cost what they should, whatever ALTER ROLE, ALTER
 * DATABASE or the server's own configuration say.
 */

const settings: ReadonlyMap<string, string> = new Map([
  // Dates and intervals are read as text.
  ['DateStyle', 'ISO'],
  ['IntervalStyle', 'postgres'],
  ['TimeZone', 'UTC'],
  ['bytea_output', 'hex'],
  ['extra_float_digits', '1'],
  ['standard_conforming_strings', 'on'],
  // The ledger's tables are named with their schema; nothing else may shadow a function.
  ['search_path', 'public'],
  // The ledger's statements take milliseconds and read by indexes, whatever their estimates; compiling one takes seconds.
  ['jit', 'off'],
  // And each is planned anew: a plan made while the tables were empty reads them whole when they have grown.
  ['plan_cache_mode', 'force_custom_plan'],
]);

const statementTimeout = 'statement_timeout';

/**
 * What differs while a statement is planned once. A plan that is kept must not depend on how large the tables were when it
 * was made: it looks up rows by index, for one row of the other side after another, and reads nothing whole.
 */
export const plannedOnceSettings: ReadonlyMap<string, string> = new Map([
  ['plan_cache_mode', 'force_generic_plan'],
  ['enable_seqscan', 'off'],
  ['enable_hashjoin', 'off'],
  ['enable_mergejoin', 'off'],
]);

const optionsOf = (values: ReadonlyMap<string, string>): string =>
  [...values].map(([name, value]) => `-c ${name}=${value}`).join(' ');

/** The settings as the start-up packet carries them, which goes before those of the role and the database. */
export const sessionOptions = optionsOf(settings);

/** The same for sessions of statements that are planned once. */
export const plannedOnceOptions = optionsOf(new Map([...settings, ...plannedOnceSettings]));

const readSettings: SqlStatement = {
  name: 'session.read_settings',
  text: 'select name, setting from pg_settings where name = any($1::text[])',
};

export interface SessionExpectations {
  /** The settings come with the role, since a pooler takes none from a session. */
  readonly isPooled: boolean;
  readonly statementTimeoutMs: number;
}

/** Refuses a server, or a pooler before it, that did not take the settings. Throws MILLRACE_DATABASE_FAILED, or MILLRACE_DATABASE_POOLED. */
export async function requireSessionSettings(
  database: SqlDatabase,
  { isPooled, statementTimeoutMs }: SessionExpectations,
): Promise<void> {
  const { rows } = await database.query<{ name: string; setting: string }>(readSettings, [
    [...settings.keys(), statementTimeout],
  ]);
  const wrong = rows
    .filter(({ name, setting }) =>
      name === statementTimeout ? !isBound(setting, statementTimeoutMs) : !holds(name, setting),
    )
    .map(({ name }) => name);
  if (wrong.length === 0) return;
  if (isPooled) {
    const needed = wrong.map((name) => `${name} = '${settings.get(name) ?? String(statementTimeoutMs)}'`);
    throw pooled(
      `Behind a pooler the role of the ledger must have these settings: ${needed.join(', ')}`,
      'Give it each with "alter role … set …", and let the pooler reconnect: see "Poolers" in docs/deploys.md.',
    );
  }
  throw new AppError(
    'MILLRACE_DATABASE_FAILED',
    `The database did not take these settings of the session: ${wrong.join(', ')}. A pooler such as pgbouncer drops them ` +
      '("Poolers" in docs/deploys.md says what to do), or the URL has options of its own: connect without them.',
  );
}

/** The server gives a statement up before the client does. */
function isBound(setting: string, mostMs: number): boolean {
  const timeoutMs = Number(setting);
  return timeoutMs > 0 && timeoutMs <= mostMs;
}

/** DateStyle is answered with the order of day and month, which ISO does not use for what it shows. */
function holds(name: string, setting: string): boolean {
  return setting.split(',')[0] === settings.get(name);
}
