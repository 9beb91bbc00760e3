import { AppError } from '../../kernel/app-error.ts';
import type { ErrorCode } from '../../kernel/error-codes.ts';

/*
 * One decision, made once: did the engine refuse the statement, or may the same statement succeed later?
 * An error that is not ClickHouse's own (socket, time-out, a proxy's page) says nothing about the statement's
 * fate, so it counts as unavailable: whoever inserted must look before inserting again.
 */

/** ClickHouse's names for too little memory, of one statement or of the server. */
const memoryErrors: ReadonlySet<string> = new Set(['CANNOT_ALLOCATE_MEMORY', 'MEMORY_LIMIT_EXCEEDED']);

/** ClickHouse's names of other errors that pass by themselves: load, disk, network, coordination, shutdown. */
const passingErrors: ReadonlySet<string> = new Set([
  'ABORTED',
  'ALL_CONNECTION_TRIES_FAILED',
  'ALL_REPLICAS_ARE_STALE',
  'ATTEMPT_TO_READ_AFTER_EOF',
  'CANNOT_SCHEDULE_TASK',
  'CANNOT_WRITE_TO_FILE_DESCRIPTOR',
  'KEEPER_EXCEPTION',
  'NETWORK_ERROR',
  'NOT_ENOUGH_SPACE',
  'NO_FREE_CONNECTION',
  'NO_ZOOKEEPER',
  'QUERY_WAS_CANCELLED',
  'SERVER_OVERLOADED',
  'SOCKET_TIMEOUT',
  'TABLE_IS_BEING_RESTARTED',
  'TABLE_IS_READ_ONLY',
  'TIMEOUT_EXCEEDED',
  'TOO_FEW_LIVE_REPLICAS',
  'TOO_MANY_PARTS',
  'TOO_MANY_SIMULTANEOUS_QUERIES',
  'TOO_SLOW',
  'UNKNOWN_STATUS_OF_INSERT',
  'UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE',
]);

const maxQuotedLength = 500;

/** The AppError for whatever a ClickHouse client threw while doing `what`. */
export function columnStoreFailure(what: string, error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (isEngineError(error)) {
    const code = codeOf(error.type);
    const reason = error.message.slice(0, maxQuotedLength).trim();
    return new AppError(code, `${what}: ${error.type} (${error.code}): ${reason}`, { cause: error });
  }
  const reason = (error instanceof Error ? error.message || error.name : String(error)).slice(
    0,
    maxQuotedLength,
  );
  return new AppError('MILLRACE_COLUMN_STORE_UNAVAILABLE', `${what}: ${reason}`, { cause: error });
}

function codeOf(type: string): ErrorCode {
  if (memoryErrors.has(type)) return 'MILLRACE_COLUMN_STORE_OUT_OF_MEMORY';
  return passingErrors.has(type) ? 'MILLRACE_COLUMN_STORE_UNAVAILABLE' : 'MILLRACE_COLUMN_STORE_FAILED';
}

/**
 * An exception of the engine. Known by its shape: over HTTP it is the class of @clickhouse/client, from chDB the one
 * of @clickhouse/client-common. A socket's error has a code too, but no type.
 */
function isEngineError(error: unknown): error is Error & { readonly code: string; readonly type: string } {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    'type' in error &&
    typeof error.type === 'string'
  );
}
