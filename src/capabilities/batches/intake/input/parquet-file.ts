import type { FileHandle } from 'node:fs/promises';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import {
  type AsyncBuffer,
  type ColumnChunk,
  type Compressors,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type RowGroup,
  snappyUncompress,
} from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { type ColumnReading, decimalFault, exactParsers, isDecimal, readingOf } from './parquet-values.ts';

/*
 * A Parquet file that somebody sent. It says of itself how large it is in its footer and again before each page, and it may lie: what
 * it says is compared with bounds, and the one with the other, before anything is decoded. A row group is decoded whole. This runs in a
 * thread of its own, whose memory is bounded, because a decoder holds the thread that it runs in.
 */

export interface ParquetBounds {
  readonly maxRows: number;
  /** Of one row group, decoded. */
  readonly rowGroupBytes: number;
}

/** What a file is, beyond its bounds or its form. */
export class BadParquet extends Error {
  override readonly name = 'BadParquet';
}

/** A file, looked through. */
export interface ParquetTable {
  readonly file: AsyncBuffer;
  readonly metadata: FileMetaData;
  readonly columns: readonly ColumnReading[];
}

const maxColumns = 1000;
/** With what is inside of columns. */
const maxElements = 10_000;
/** The decoder looks through all of them for each. */
const maxRowGroups = 10_000;
const maxFooterBytes = 16_777_216;
/** Of all columns of one row group. */
const maxGroupValues = 20_000_000;
const magicBytes = 4;

/** Opens a file by its footer. Throws BadParquet. */
export async function openParquet(handle: FileHandle, bounds: ParquetBounds): Promise<ParquetTable> {
  const { size } = await handle.stat();
  const file = bufferOf(handle, size);
  await checkEnds(file, size);
  const metadata = await parquetMetadataAsync(file, { parsers: exactParsers, geoparquet: false });
  if (metadata.schema.length > maxElements)
    throw new BadParquet(`has a schema of more than ${maxElements} elements`);
  if (metadata.row_groups.length > maxRowGroups)
    throw new BadParquet(`has more than ${maxRowGroups} row groups`);
  const { children } = parquetSchema(metadata);
  if (children.length > maxColumns) throw new BadParquet(`has more than ${maxColumns} columns`);
  for (const { children: inner, element } of children) {
    const fault = isDecimal(element) ? decimalFault(element) : undefined;
    if (fault !== undefined) throw new BadParquet(`the column "${element.name}" ${fault}`);
    if (inner.length > 0 && hasDecimal(inner)) {
      throw new BadParquet(
        `the column "${element.name}" holds decimals inside lists or structures; write them as text`,
      );
    }
  }
  if (metadata.num_rows > bounds.maxRows) {
    throw new BadParquet(
      `has ${metadata.num_rows} rows; a batch has ${bounds.maxRows} items at most (batches.maxItems)`,
    );
  }
  const rows = metadata.row_groups.reduce((sum, { num_rows: count }) => sum + count, 0n);
  if (rows !== metadata.num_rows) throw new BadParquet('its row groups do not add up to its rows');
  const readings = children.map(({ element }) => readingOf(element));
  const schema = metadata.schema.map((element) => {
    const top = children.findIndex((child) => child.element === element);
    return readings[top]?.element ?? element;
  });
  return { file, metadata: { ...metadata, schema }, columns: readings.map(({ reading }) => reading) };
}

type Tree = ReturnType<typeof parquetSchema>;

function hasDecimal(trees: readonly Tree[]): boolean {
  return trees.some(({ element, children }) => isDecimal(element) || hasDecimal(children));
}

/** The rows of a row group, as the decoder has them. Throws BadParquet for what is not as it says or beyond bounds. */
export async function rowsOfGroup(
  { file, metadata }: ParquetTable,
  group: number,
  bounds: ParquetBounds,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const rowGroup = metadata.row_groups[group];
  if (rowGroup === undefined) return [];
  await checkGroup(file, rowGroup, bounds);
  const rowStart = metadata.row_groups.slice(0, group).reduce((sum, one) => sum + Number(one.num_rows), 0);
  return await parquetReadObjects({
    file,
    metadata,
    rowStart,
    rowEnd: rowStart + Number(rowGroup.num_rows),
    compressors: compressorsWithin(bounds.rowGroupBytes),
    parsers: exactParsers,
    geoparquet: false,
    utf8: false,
  });
}

async function checkEnds(file: AsyncBuffer, size: number): Promise<void> {
  if (size < 3 * magicBytes) throw new BadParquet('is no Parquet file: it is too short');
  const first = Buffer.from(await file.slice(0, magicBytes)).toString('latin1');
  const last = Buffer.from(await file.slice(size - 2 * magicBytes, size));
  const end = last.toString('latin1', magicBytes);
  if (end === 'PARE') throw new BadParquet('is encrypted');
  if (first !== 'PAR1' || end !== 'PAR1') throw new BadParquet('is no Parquet file, or not whole');
  const footerBytes = last.readUInt32LE(0);
  if (footerBytes > maxFooterBytes) throw new BadParquet(`has a footer of more than ${maxFooterBytes} bytes`);
}

async function checkGroup(
  file: AsyncBuffer,
  { columns, num_rows: rows }: RowGroup,
  { rowGroupBytes, maxRows }: ParquetBounds,
): Promise<void> {
  if (rows < 0n || rows > BigInt(maxRows))
    throw new BadParquet('has a row group of more rows than a batch may have');
  const tooLarge = (): BadParquet =>
    new BadParquet(
      `has a row group of more than ${rowGroupBytes} decoded bytes; write it with smaller row groups, or raise batches.rowGroupBytes`,
    );
  let values = 0;
  let decoded = 0;
  for (const column of columns) {
    const { name, start, length, count } = placeOf(column);
    values += count;
    if (values > maxGroupValues)
      throw new BadParquet(`has a row group of more than ${maxGroupValues} values`);
    if (length > rowGroupBytes) throw tooLarge();
    if (start < 0 || length < 0 || start + length > file.byteLength) {
      throw new BadParquet(`the column "${name}" does not lie inside the file`);
    }
    const view = new DataView(await file.slice(start, start + length));
    const reader = { view, offset: 0 };
    let pageValues = 0;
    while (pageValues < count && reader.offset < view.byteLength - 1) {
      const header = parquetHeader(reader);
      const page = {
        bytes: header.uncompressed_page_size,
        stored: header.compressed_page_size,
      };
      const told = (header.data_page_header ?? header.data_page_header_v2)?.num_values ?? 0;
      const entries = header.dictionary_page_header?.num_values ?? 0;
      // Whatever their types say, they are what the file says.
      const isSound = [page.bytes, page.stored, told, entries].every(
        (number) => Number.isSafeInteger(number) && number >= 0,
      );
      if (!isSound || reader.offset + page.stored > view.byteLength || entries > page.bytes + 1) {
        throw new BadParquet(`the column "${name}" has a page that is not as it says`);
      }
      decoded += page.bytes;
      pageValues += told;
      if (decoded > rowGroupBytes) throw tooLarge();
      if (pageValues > count) throw new BadParquet(`the column "${name}" has more values than it says`);
      if (told === 0 && entries === 0 && page.stored === 0)
        throw new BadParquet(`the column "${name}" has an empty page`);
      reader.offset += page.stored;
    }
    if (pageValues !== count) throw new BadParquet(`the column "${name}" has fewer values than it says`);
  }
}

function placeOf({ meta_data: told }: ColumnChunk) {
  if (told === undefined) throw new BadParquet('has a column without a place');
  const start = Number(told.dictionary_page_offset ?? 0n) || Number(told.data_page_offset);
  return {
    name: told.path_in_schema.join('.'),
    start,
    length: Number(told.total_compressed_size),
    count: Number(told.num_values),
  };
}

/** Decoders that never make more than they are told to, nor more than the bound. */
function compressorsWithin(most: number): Compressors {
  const within = (size: number): number => {
    if (size < 0 || size > most) throw new BadParquet('has a page beyond the bound of a row group');
    return Math.max(1, size);
  };
  return {
    SNAPPY: (input, size) => {
      within(size);
      const output = new Uint8Array(size);
      snappyUncompress(input, output);
      return output;
    },
    GZIP: (input, size) => gunzipSync(input, { maxOutputLength: within(size) }),
    ZSTD: (input, size) => zstdDecompressSync(input, { maxOutputLength: within(size) }),
    BROTLI: (input, size) => brotliDecompressSync(input, { maxOutputLength: within(size) }),
  };
}

function bufferOf(handle: FileHandle, byteLength: number): AsyncBuffer {
  return {
    byteLength,
    slice: async (start, end = byteLength) => {
      const bytes = new Uint8Array(Math.max(0, Math.min(end, byteLength) - start));
      let at = 0;
      while (at < bytes.length) {
        const { bytesRead } = await handle.read(bytes, at, bytes.length - at, start + at);
        if (bytesRead === 0) throw new BadParquet('ends before it should');
        at += bytesRead;
      }
      return bytes.buffer;
    },
  };
}
