import { isUtf8 } from 'node:buffer';
import { CsvError, parse } from 'csv-parse';
import type { CellTypes } from './cell-types.ts';
import { piped } from './input-bytes.ts';
import { inexactProblem } from './inexact-number.ts';
import { UnreadableInput } from './input-faults.ts';
import { columnFault, faultyRecord, type InputRecord, itemOfRow, type TableColumns } from './input-record.ts';

export interface CsvOptions {
  readonly columns: TableColumns;
  readonly types: CellTypes;
  /** Of one record, quotes included. */
  readonly maxRecordBytes: number;
}

/** The items of a CSV with a header (RFC 4180): cells may hold quotes, commas and line ends. Throws UnreadableInput where its structure breaks. */
export async function* csvRecords(
  pieces: AsyncIterable<Uint8Array>,
  { columns, types, maxRecordBytes }: CsvOptions,
): AsyncGenerator<InputRecord> {
  const parser = parse({
    bom: true,
    relax_column_count: true,
    max_record_size: maxRecordBytes,
  });
  let names: readonly string[] | undefined;
  let place = 1;
  let read = 0;
  try {
    for await (const made of piped(utf8Only(pieces), parser)) {
      const cells = made as readonly string[];
      read += 1;
      if (names === undefined) {
        const fault = columnFault(cells, columns);
        if (fault !== undefined) throw new UnreadableInput(fault, 1);
        names = cells;
      } else if (cells.length > 1 || cells[0] !== '') {
        yield recordOf(place, names, cells, { columns, types });
      }
      // Cells may be several lines long.
      for (const cell of cells) place += lineFeedsIn(cell);
      place += 1;
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw brokenCsv(error, { read, place, maxRecordBytes });
  }
}

/** Why the parser gave up, and where: it may have read records that nobody has asked for yet. */
function brokenCsv(
  error: CsvError,
  {
    read,
    place,
    maxRecordBytes,
  }: { readonly read: number; readonly place: number; readonly maxRecordBytes: number },
): UnreadableInput {
  const [lines, records] = [numberOf(error, 'lines'), numberOf(error, 'records')];
  if (error.code === 'CSV_QUOTE_NOT_CLOSED') {
    const problem = `has a quote that is not closed, in the record behind the first ${records}`;
    return new UnreadableInput({ field: '', problem }, records === read ? place : undefined, error);
  }
  const problem =
    error.code === 'CSV_MAX_RECORD_SIZE'
      ? `has more than ${maxRecordBytes} bytes in one record, or a quote that is not closed`
      : `is not CSV: ${error.message}`;
  return new UnreadableInput({ field: '', problem }, lines, error);
}

function numberOf(error: CsvError, name: string): number {
  return Number(Reflect.get(error, name));
}

function recordOf(
  place: number,
  names: readonly string[],
  cells: readonly string[],
  { columns, types }: Pick<CsvOptions, 'columns' | 'types'>,
): InputRecord {
  if (cells.length !== names.length) {
    return faultyRecord(place, '', `has ${cells.length} cells; the header has ${names.length} columns`);
  }
  const row: Record<string, unknown> = {};
  const texts: Record<string, string> = {};
  for (const [index, name] of names.entries()) {
    const text = cells[index] ?? '';
    texts[name] = text;
    const value = types === 'json' ? jsonCell(text) : text;
    const problem = typeof value === 'object' ? inexactProblem(text) : undefined;
    if (problem !== undefined) {
      const id = columns.id === undefined ? undefined : cells[names.indexOf(columns.id)];
      return { kind: 'faulty', place, id, faults: [{ field: name, problem }], reach: 'item' };
    }
    if (value !== undefined) row[name] = value;
  }
  const { data } = itemOfRow(row, columns);
  // Ids and names are texts, whatever they look like; an empty cell names nothing.
  const named = (name: string | undefined): string | undefined =>
    name === undefined || texts[name] === '' ? undefined : texts[name];
  return {
    kind: 'item',
    place,
    parts: {
      id: named(columns.id),
      customer: named(columns.customer),
      team: named(columns.team),
      data,
    },
  };
}

const jsonStart = /^[\s]*[-0-9[{"tfn]/;

/** The value of a cell that is JSON, else its text; undefined where it is empty. */
function jsonCell(text: string): unknown {
  if (text === '') return undefined;
  if (!jsonStart.test(text)) return text;
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'number' && !isExact(value, text) ? text : value;
  } catch {
    // A text that only begins like JSON.
    return text;
  }
}

/** Whether a number is the one that is written: an id of twenty digits is a text. */
function isExact(value: number, text: string): boolean {
  return (/[.eE]/.test(text) || Number.isSafeInteger(value)) && inexactProblem(text) === undefined;
}

/** The same bytes, as long as they are UTF-8: the parser would put other characters in place of what is not. */
async function* utf8Only(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let lines = 1;
  let carried = Buffer.alloc(0);
  for await (const piece of pieces) {
    try {
      decoder.decode(piece, { stream: true });
    } catch (error) {
      throw notUtf8(lines + linesBefore(Buffer.concat([carried, piece])), error);
    }
    lines += countLineFeeds(piece);
    // The last bytes may be the first of a character.
    carried = Buffer.from(piece.subarray(-3));
    carried = carried.subarray(carried.lastIndexOf(0x0a) + 1);
    yield piece;
  }
  try {
    decoder.decode();
  } catch (error) {
    throw notUtf8(lines, error);
  }
}

function notUtf8(place: number, cause: unknown): UnreadableInput {
  return new UnreadableInput({ field: '', problem: 'is not UTF-8' }, place, cause);
}

/** The line ends before the first line that is not UTF-8; the bytes may begin inside a character. */
function linesBefore(bytes: Buffer): number {
  let start = 0;
  while (start < bytes.length && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
  let count = 0;
  for (let at = bytes.indexOf(0x0a, start); at >= 0; at = bytes.indexOf(0x0a, start)) {
    if (!isUtf8(bytes.subarray(start, at))) break;
    start = at + 1;
    count += 1;
  }
  return count;
}

function countLineFeeds(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) count += 1;
  return count;
}

function lineFeedsIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count += 1;
  return count;
}
