import { AppError } from '../../kernel/app-error.ts';

/*
 * What a failure of the database means, decided once for both drivers by SQLSTATE, or by the system's
 * error code when the server could not answer at all.
 */

/** What the ledger's users do about a pooler. */
export const ledgerPoolerAdvice =
  'Connect to PostgreSQL directly, or set ledger.pooled (MILLRACE_POSTGRES_POOLED) and give the role its settings: see "Poolers" in docs/deploys.md.';

const systemCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

// read_only_sql_transaction: the primary has become a standby.
const readOnlyState = '25006';
// Connection exceptions; insufficient resources (too many connections, disk full).
const unavailableClasses = new Set(['08', '53']);
const unavailableStates = new Set([
  '57014', // query_canceled: the statement time-out
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '57P05', // idle_session_timeout
  '25P03', // idle_in_transaction_session_timeout
  readOnlyState,
]);
const conflictStates = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '55P03', // lock_not_available
]);
// What a row holds is at fault, not the statement or the server: data exceptions, integrity constraints, limits.
const dataClasses = new Set(['22', '23', '54']);
const dataStates = new Set([
  '21000', // cardinality_violation: one statement was to change a row twice
]);
/**
 * Of these classes, but no fault of one row: how the statement was written, not what it was given. Not among them is 54001,
 * the stack depth limit: statements are fixed, so it is JSON with too many levels that exceeds it.
 */
const statementStates = new Set([
  '54011', // too_many_columns
  '54023', // too_many_arguments
]);
const uniqueViolation = '23505';
/** Indexes that make two transactions which did not see each other into a conflict; the next look sees both. */
const conflictIndexes = new Set(['messages_order_leased']);

// Errors that `pg` makes itself carry no code.
const clientMessages =
  /^(Connection terminated|Client has encountered a connection error|Client was closed|timeout exceeded when trying to connect|timeout expired|Query read timeout)/;

/** Whether after this failure the connection can no longer be trusted. */
export function isConnectionLoss(error: unknown): boolean {
  const code = codeOf(error);
  if (code === undefined) return error instanceof Error && clientMessages.test(error.message);
  return systemCodes.has(code) || code.startsWith('08') || (code.startsWith('57P') && code !== '57P04');
}

/**
 * Whether the server takes no writes: a primary that has become a standby, or one set to read only. Its connections go
 * on answering like that after another server, or another mode, has taken over.
 */
export function isReadOnlyServer(error: unknown): boolean {
  return codeOf(error) === readOnlyState;
}

/** The AppError for what a driver threw while it ran the named statement. */
export function sqlError(error: unknown, statementName: string): AppError {
  if (error instanceof AppError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  const options = { cause: error };
  if (isPoolersDoing(error, code))
    return pooled(
      `A pooler before the database did not let ${statementName} pass: ${text}`,
      ledgerPoolerAdvice,
      error,
    );
  if (isUnavailable(error, code)) {
    return new AppError(
      'MILLRACE_DATABASE_UNAVAILABLE',
      `The database did not answer ${statementName}${label(code)}: ${text}`,
      options,
    );
  }
  if (isConflict(error, code)) {
    return new AppError(
      'MILLRACE_DATABASE_CONFLICT',
      `The database gave up ${statementName}${label(code)}: ${text}`,
      options,
    );
  }
  if (isRefusedData(code)) {
    const column = textOf(error, 'column');
    const constraint = constraintOf(error);
    const field = column === '' ? constraint : column;
    return new AppError(
      'MILLRACE_DATA_REFUSED',
      `The database refused the data of ${statementName}${label(code)}: ${text}`,
      { ...options, faults: field === '' ? [] : [{ field, problem: text }] },
    );
  }
  return new AppError(
    'MILLRACE_DATABASE_FAILED',
    `The database refused ${statementName}${label(code)}: ${text}`,
    options,
  );
}

/** What a pooler does to who does not expect it. */
export function pooled(what: string, whatToDo: string, cause?: unknown): AppError {
  return new AppError(
    'MILLRACE_DATABASE_POOLED',
    `${what}. ${whatToDo}`,
    cause === undefined ? {} : { cause },
  );
}

/** Runs the named statement and turns what it throws into an AppError. */
export async function withSqlErrors<T>(statementName: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw sqlError(error, statementName);
  }
}

/** A commit that PostgreSQL answered with a rollback: the work went on after one of its statements had failed. */
export function rolledBackInstead(): AppError {
  return new AppError(
    'MILLRACE_DATABASE_FAILED',
    'The transaction was rolled back instead of committed: one of its statements had failed.',
  );
}

/** A statement that came after the database was closed. */
export function closedBefore(statementName: string): AppError {
  return new AppError(
    'MILLRACE_DATABASE_UNAVAILABLE',
    `The database is closed: ${statementName} was not run.`,
  );
}

// pgbouncer refuses what it would have to remember; and a prepared statement that is missing, or there already, was another's.
const poolerRefusal = /^unsupported startup parameter/;
const preparedStates = new Set(['26000', '42P05']);

/** Whether a pooler is the cause though the error does not say so. */
export function isPoolersDoing(error: unknown, code: string | undefined = codeOf(error)): boolean {
  if (code === undefined) return false;
  return (
    preparedStates.has(code) ||
    (code === '08P01' && error instanceof Error && poolerRefusal.test(error.message))
  );
}

function isUnavailable(error: unknown, code: string | undefined): boolean {
  if (isConnectionLoss(error)) return true;
  return code !== undefined && (unavailableStates.has(code) || unavailableClasses.has(code.slice(0, 2)));
}

function isConflict(error: unknown, code: string | undefined): boolean {
  if (code === undefined) return false;
  return conflictStates.has(code) || (code === uniqueViolation && conflictIndexes.has(constraintOf(error)));
}

function isRefusedData(code: string | undefined): boolean {
  if (code === undefined || statementStates.has(code)) return false;
  return dataStates.has(code) || (/^[0-9A-Z]{5}$/.test(code) && dataClasses.has(code.slice(0, 2)));
}

function constraintOf(error: unknown): string {
  return textOf(error, 'constraint');
}

function textOf(error: unknown, field: 'column' | 'constraint'): string {
  if (typeof error !== 'object' || error === null) return '';
  const value: unknown = Reflect.get(error, field);
  return typeof value === 'string' ? value : '';
}

function label(code: string | undefined): string {
  return code === undefined ? '' : ` (${code})`;
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
