import { AppError } from '../../kernel/app-error.ts';

/*
 * Rows of many callers travel as one JSON parameter. Each is written as JSON by itself, before it joins the others: a value
 * that JSON does not carry (a BigInt, a cycle, a getter that throws) is then refused alone, with its field.
 */

/** One row of a statement's JSON parameter, as JSON text. */
export type JsonRow = string & { readonly '~row': true };

/**
 * The row that `build` makes. Throws MILLRACE_DATA_REFUSED when it cannot be made or cannot be written as JSON, or when a
 * value is no text, flag or finite number, nor a list of texts.
 */
export function jsonRow(operation: string, build: () => Readonly<Record<string, unknown>>): JsonRow {
  let row: Readonly<Record<string, unknown>> = {};
  try {
    row = build();
    const json = JSON.stringify(row);
    const field = Object.keys(row).find((name) => !isColumn(row[name]));
    if (field === undefined) return json as JsonRow;
    throw refused(operation, field, `${describe(row[field])} is no value that a column can hold`);
  } catch (error) {
    if (error instanceof AppError) throw error;
    const field = Object.keys(row).find((name) => !isWritable(row, name)) ?? '';
    throw refused(operation, field, `cannot be written as JSON: ${problemOf(error)}`, error);
  }
}

/** Rows as one JSON parameter. */
export function jsonRows(rows: readonly JsonRow[]): string {
  return `[${rows.join(',')}]`;
}

/** Rows as one JSON parameter, each with its place among them in `column`: negative, rising, -1 the last. */
export function placedJsonRows(rows: readonly JsonRow[], column = 'place'): string {
  const placed = rows.map((row, index) => {
    const rest = row.slice(1);
    return `{"${column}":${index - rows.length}${rest === '}' ? '' : ','}${rest}`;
  });
  return `[${placed.join(',')}]`;
}

/** Values of columns are flat, so that nothing of any depth has to be parsed by the database. */
function isColumn(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return true;
  return Array.isArray(value) && value.every((element) => typeof element === 'string');
}

function describe(value: unknown): string {
  return typeof value === 'number' ? String(value) : 'an object';
}

function isWritable(row: Readonly<Record<string, unknown>>, name: string): boolean {
  try {
    JSON.stringify(row[name]);
    return true;
  } catch {
    return false;
  }
}

/** Whatever was thrown: reading its message may throw, too. */
function problemOf(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return 'the error cannot be read';
  }
}

function refused(operation: string, field: string, problem: string, cause?: unknown): AppError {
  const told = field === '' ? problem : `${field}: ${problem}`;
  return new AppError('MILLRACE_DATA_REFUSED', `A row of ${operation} ${told}`, {
    ...(cause === undefined ? {} : { cause }),
    faults: field === '' ? [] : [{ field, problem }],
  });
}
