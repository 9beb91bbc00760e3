import { open } from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { cut } from '../../../../kernel/fault.ts';
import {
  BadParquet,
  openParquet,
  type ParquetBounds,
  type ParquetTable,
  rowsOfGroup,
} from './parquet-file.ts';
import { type ColumnReading, jsonValue, NoJsonForm } from './parquet-values.ts';

/* The thread in which a Parquet file is read. It answers each message with some rows more, so that whoever asks sets the pace. */

/** What the thread is started with. */
export interface ParquetTask {
  readonly path: string;
  readonly bounds: ParquetBounds;
  /** Of one row's texts; a larger one is no item. */
  readonly maxRowBytes: number;
  /** Of levels of lists and structures in a row, itself among them. */
  readonly maxDepth: number;
}

/** One row: its values by column, or what is wrong with it. */
export type ParquetRow =
  | { readonly values: Readonly<Record<string, unknown>> }
  | { readonly column: string; readonly problem: string };

/** What it answers. */
export type ParquetAnswer =
  | { readonly kind: 'columns'; readonly names: readonly string[] }
  | { readonly kind: 'rows'; readonly rows: readonly ParquetRow[] }
  | { readonly kind: 'end' }
  | { readonly kind: 'bad'; readonly problem: string };

const sliceRows = 200;
/** Of a column's name in a fault. */
const maxColumnCharacters = 300;
const sliceBytes = 2_097_152;

async function* answers({ path, ...task }: ParquetTask): AsyncGenerator<ParquetAnswer> {
  const handle = await open(path);
  try {
    const table = await openParquet(handle, task.bounds);
    yield { kind: 'columns', names: table.columns.map(({ name }) => name) };
    for (const [group] of table.metadata.row_groups.entries()) yield* slicesOf(table, group, task);
    yield { kind: 'end' };
  } catch (error) {
    // The decoder fails in many ways over what is no sound file: all of them mean that.
    yield { kind: 'bad', problem: problemOf(error) };
  } finally {
    await handle.close();
  }
}

async function* slicesOf(
  table: ParquetTable,
  group: number,
  task: Omit<ParquetTask, 'path'>,
): AsyncGenerator<ParquetAnswer> {
  let rows: ParquetRow[] = [];
  let bytes = 0;
  for (const decoded of await rowsOfGroup(table, group, task.bounds)) {
    const row = rowOf(decoded, table.columns, task);
    rows.push(row);
    bytes += 'values' in row ? sizeOf(row.values) : 0;
    if (rows.length < sliceRows && bytes < sliceBytes) continue;
    yield { kind: 'rows', rows };
    rows = [];
    bytes = 0;
  }
  if (rows.length > 0) yield { kind: 'rows', rows };
}

function rowOf(
  decoded: Readonly<Record<string, unknown>>,
  columns: readonly ColumnReading[],
  { maxRowBytes: maxBytes, maxDepth }: Omit<ParquetTask, 'path'>,
): ParquetRow {
  const values: Record<string, unknown> = {};
  const room = { levels: maxDepth - 1, bytes: maxBytes };
  for (const column of columns) {
    try {
      const value = jsonValue(decoded[column.name], column, room);
      if (value !== undefined) values[column.name] = value;
    } catch (error) {
      if (!(error instanceof NoJsonForm)) throw error;
      // The rows of a slice may all be faulty, and each names its column.
      return { column: cut(column.name, maxColumnCharacters), problem: error.message };
    }
  }
  const bytes = sizeOf(values);
  return bytes > maxBytes
    ? { column: '', problem: `has ${bytes} bytes; an item has ${maxBytes} at most` }
    : { values };
}

/** About as many bytes as the value has in JSON. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 8;
  let size = 2;
  for (const [name, member] of Object.entries(value)) size += name.length + 2 + sizeOf(member);
  return size;
}

function problemOf(error: unknown): string {
  if (error instanceof BadParquet) return error.message;
  return `cannot be decoded as Parquet: ${error instanceof Error ? error.message : String(error)}`;
}

const port = parentPort;
if (port !== null) {
  const made = answers(workerData as ParquetTask);
  port.on('message', () => {
    made.next().then(
      ({ value }) => port.postMessage(value ?? { kind: 'end' }),
      (error: unknown) => port.postMessage({ kind: 'bad', problem: problemOf(error) }),
    );
  });
}
