import type { ColumnStore } from '../../drivers/column-store/column-store.ts';
import { AppError } from '../../kernel/app-error.ts';
import { costErrors } from './cost-errors.ts';

/*
 * How much of the column store one report may take. The engine keeps to it by settings in the statement itself, so that
 * they hold over HTTP and embedded alike; what it refuses for them is another error than a store that is away.
 */

export interface QueryLimits {
  readonly maxSeconds: number;
  readonly maxMemoryBytes: number;
  /** Rows of the result, before it is cut to the groups that were asked for. */
  readonly maxRows: number;
}

/** The embedded engine shares its process's memory, and has this much for a statement whatever is configured. */
const embeddedMemoryBytes = 400_000_000;

/** The engine's names of what it refuses for a limit, and the limit's name. A time-out of the whole server is none. */
const limitOf: Readonly<Record<string, string>> = {
  TIMEOUT_EXCEEDED: 'time',
  TOO_SLOW: 'time',
  MEMORY_LIMIT_EXCEEDED: 'memory',
  TOO_MANY_ROWS_OR_BYTES: 'rows',
  TOO_MANY_ROWS: 'rows',
};

/** Asks the store within the limits. Throws MILLRACE_REPORT_TOO_LARGE when they do not suffice. */
export async function queryWithin<Row>(
  store: ColumnStore,
  { sql, parameters }: { readonly sql: string; readonly parameters: Readonly<Record<string, unknown>> },
  limits: QueryLimits,
): Promise<Row[]> {
  try {
    return await store.query<Row>(`${sql}\n${settingsOf(store.kind, limits)}`, parameters);
  } catch (error) {
    const limit = exceeded(error);
    if (limit === undefined) throw error;
    throw new AppError(
      costErrors.MILLRACE_REPORT_TOO_LARGE,
      `The report takes more ${limit} than one may (${limits.maxSeconds} s, ${limits.maxMemoryBytes} bytes of memory, ${limits.maxRows} rows).`,
      { cause: error },
    );
  }
}

function settingsOf(kind: ColumnStore['kind'], { maxSeconds, maxMemoryBytes, maxRows }: QueryLimits): string {
  const memory = kind === 'chdb' ? Math.min(maxMemoryBytes, embeddedMemoryBytes) : maxMemoryBytes;
  return (
    `SETTINGS max_execution_time = ${maxSeconds}, timeout_overflow_mode = 'throw', max_memory_usage = ${memory}, ` +
    `max_result_rows = ${maxRows}, result_overflow_mode = 'throw'`
  );
}

function exceeded(error: unknown): string | undefined {
  const cause: unknown = error instanceof AppError ? error.cause : undefined;
  if (!(cause instanceof Error) || !('type' in cause) || typeof cause.type !== 'string') return undefined;
  // The server's own memory is at its end: not what this report takes.
  if (cause.type === 'MEMORY_LIMIT_EXCEEDED' && cause.message.includes('(total)')) return undefined;
  return limitOf[cause.type];
}
