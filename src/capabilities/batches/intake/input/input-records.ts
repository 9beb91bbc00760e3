import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { AppError } from '../../../../kernel/app-error.ts';
import type { Clock } from '../../../../kernel/clock.ts';
import { loadOptional } from '../../../../kernel/optional-package.ts';
import type { CsvOptions } from './csv-records.ts';
import { bounded, decodedBytes, type InputEncoding, tooManyBytes } from './input-bytes.ts';
import { InputDigest } from './input-digest.ts';
import { type PlaceName, UnreadableInput } from './input-faults.ts';
import type { InputRecord, TableColumns } from './input-record.ts';
import type { UploadQuery } from '../intake-requests.ts';
import type { IntakeSettings } from '../intake-settings.ts';
import { jsonlRecords } from './jsonl-records.ts';
import { parquetRecords } from './parquet-records.ts';

/** What an input is written in. */
export const inputFormats = ['jsonl', 'csv', 'parquet'] as const;
export type InputFormat = (typeof inputFormats)[number];

/** An input: its bytes as they come, or, of a table that is read from places all over it, a file. */
export interface BatchInput {
  readonly format: InputFormat;
  readonly encoding: InputEncoding;
  readonly query: UploadQuery;
  readonly bytes: AsyncIterable<Uint8Array>;
  /** How many there are, where that is known before they come. */
  readonly declaredBytes?: number | undefined;
  /** Nobody waits for the answer any more: what is read of it is given up. */
  readonly signal?: AbortSignal | undefined;
  /** Where the same bytes lie already. */
  readonly path?: string;
}

export interface InputBounds extends IntakeSettings {
  /** Of an item's data as JSON. */
  readonly maxDataBytes: number;
  readonly maxDepth: number;
}

/** What goes with an item's data on its line: id, names, labels. */
const besideDataBytes = 16_384;

/** What the places in an input are called. */
export function placeNameOf(format: InputFormat): PlaceName {
  return format === 'parquet' ? 'row' : 'line';
}

/**
 * Refuses what cannot be read whatever its bytes are, before anything is removed for it. Throws MILLRACE_MEDIA_TYPE_UNSUPPORTED for compressed
 * Parquet, which compresses itself, MILLRACE_REQUEST_TOO_LARGE for more bytes than are accepted, and MILLRACE_PACKAGE_MISSING for CSV where its
 * reader is not installed.
 */
export async function confirmReadable(
  { format, encoding, declaredBytes = 0 }: BatchInput,
  { uploadBytes }: Pick<InputBounds, 'uploadBytes'>,
): Promise<void> {
  if (format === 'parquet' && encoding !== 'identity') {
    throw new AppError(
      'MILLRACE_MEDIA_TYPE_UNSUPPORTED',
      'Parquet is accepted without a content encoding: its pages are compressed by themselves.',
    );
  }
  if (declaredBytes > uploadBytes) throw tooManyBytes(uploadBytes, 'batches.uploadBytes');
  if (format === 'csv') await csvReader();
}

/**
 * The items of an input that is readable. At most one item is held, of Parquet one row group. Throws UnreadableInput where nothing more can
 * be read, and MILLRACE_REQUEST_TOO_LARGE beyond the bounds. When all is read, the
 * digest is that of the input.
 */
export function inputRecords(
  input: BatchInput,
  bounds: InputBounds,
  { digest, clock }: { readonly digest: InputDigest; readonly clock: Clock },
): AsyncIterable<InputRecord> {
  const { format, encoding, query, bytes } = input;
  const maxBytes = bounds.maxDataBytes + besideDataBytes;
  switch (format) {
    case 'jsonl':
      return jsonlRecords(digest.over(decodedBytes(bytes, encoding, bounds)), {
        form: query.form,
        maxLineBytes: maxBytes,
        maxDepth: bounds.maxDepth,
      });
    case 'csv':
      return csvItems(digest.over(decodedBytes(bytes, encoding, bounds)), {
        columns: columnsOf(query),
        types: query.types,
        maxRecordBytes: maxBytes,
      });
    case 'parquet':
      return tableRecords(input, { bounds, maxRowBytes: maxBytes, digest, clock });
  }
}

/** The digest of an input that is read for nothing else; undefined where it cannot be read. Throws MILLRACE_REQUEST_TOO_LARGE. */
export async function digestOfInput(input: BatchInput, bounds: InputBounds): Promise<string | undefined> {
  const { format, encoding, bytes } = input;
  const digest = new InputDigest(input);
  try {
    await digest.take(format === 'parquet' ? bytes : decodedBytes(bytes, encoding, bounds));
  } catch (error) {
    if (error instanceof UnreadableInput) return undefined;
    throw error;
  }
  return digest.end();
}

function columnsOf({ idColumn, customerColumn, teamColumn, omit }: UploadQuery): TableColumns {
  return { id: idColumn, customer: customerColumn, team: teamColumn, omit };
}

async function* csvItems(
  pieces: AsyncIterable<Uint8Array>,
  options: CsvOptions,
): AsyncGenerator<InputRecord> {
  const { csvRecords } = await csvReader();
  yield* csvRecords(pieces, options);
}

async function csvReader() {
  return await loadOptional(
    'Reading items of a batch as CSV',
    ['csv-parse'],
    () => import('./csv-records.ts'),
  );
}

async function* tableRecords(
  { query, bytes, path, signal }: BatchInput,
  {
    bounds,
    maxRowBytes,
    digest,
    clock,
  }: {
    readonly bounds: InputBounds;
    readonly maxRowBytes: number;
    readonly digest: InputDigest;
    readonly clock: Clock;
  },
): AsyncGenerator<InputRecord> {
  const options = {
    bounds: { maxRows: bounds.maxItems, rowGroupBytes: bounds.rowGroupBytes },
    maxRowBytes,
    maxDepth: bounds.maxDepth,
    columns: columnsOf(query),
    clock,
    timeoutMs: bounds.readTimeoutMs,
    signal,
  };
  if (path !== undefined) {
    yield* parquetRecords(path, options);
    await digest.take(bytes);
    return;
  }
  const directory = await mkdtemp(join(tmpdir(), 'millrace-upload-'));
  try {
    const file = join(directory, 'items.parquet');
    const sent = bounded(bytes, bounds.uploadBytes, 'batches.uploadBytes');
    await pipeline(digest.over(sent), createWriteStream(file, { mode: 0o600 }));
    yield* parquetRecords(file, options);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
