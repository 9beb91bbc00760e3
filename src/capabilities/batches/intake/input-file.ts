import { type FileHandle, open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { invalidRequest } from '../../../http/request-faults.ts';
import { AppError } from '../../../kernel/app-error.ts';
import { batchErrors } from '../batch-errors.ts';
import type { InputEncoding } from './input/input-bytes.ts';
import { type InputFormat, inputFormats } from './input/input-records.ts';

/** The file that a command was given, or its standard input. */
export interface InputFile {
  readonly format: InputFormat;
  readonly encoding: InputEncoding;
  /** Its name without what says the format; undefined for standard input. */
  readonly name: string | undefined;
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly path: string | undefined;
  /** Throws MILLRACE_BATCH_INPUT_INVALID when the file is not what it was when it was opened. */
  readonly confirm: () => Promise<void>;
  readonly close: () => Promise<void>;
}

const extensions: Readonly<Record<string, InputFormat>> = {
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  csv: 'csv',
  parquet: 'parquet',
};
const pattern = /^(?<name>.*?)\.(?<extension>[a-z]+)(?<gzip>\.gz)?$/i;

/** Opens the file, or with "-" standard input. Throws MILLRACE_REQUEST_INVALID where there is none, or its format is not clear. */
export async function openInput(file: string, asked: InputFormat | undefined): Promise<InputFile> {
  if (file !== '-' && (await isDirectory(file)))
    throw invalidRequest([{ field: 'file', problem: 'is a directory: name the file with the items' }]);
  const { name, extension, gzip } = pattern.exec(basename(file))?.groups ?? {};
  const format = asked ?? extensions[extension?.toLowerCase() ?? ''];
  if (format === undefined) {
    throw invalidRequest([
      {
        field: 'format',
        problem: `is one of ${inputFormats.join(', ')}: the name of the input does not say it`,
      },
    ]);
  }
  const encoding = gzip === undefined ? 'identity' : 'gzip';
  if (file === '-') {
    return {
      format,
      encoding,
      name: undefined,
      bytes: process.stdin,
      path: undefined,
      confirm: () => Promise.resolve(),
      close: () => Promise.resolve(),
    };
  }
  const handle = await open(file).catch((error: unknown) => {
    throw invalidRequest([{ field: 'file', problem: `cannot be read: ${messageOf(error)}` }]);
  });
  const before = await stateOf(handle);
  return {
    format,
    encoding,
    name: name ?? basename(file),
    bytes: handle.createReadStream({ autoClose: false }),
    path: file,
    confirm: async () => {
      if ((await stateOf(handle)) === before && (await stateAt(file)) === before) return;
      throw new AppError(
        batchErrors.MILLRACE_BATCH_INPUT_INVALID,
        `The file ${file} changed while it was read. Nothing was started; submit it again when it is complete.`,
      );
    },
    close: () => handle.close(),
  };
}

/** Of what is not there, opening it says why. */
async function isDirectory(file: string): Promise<boolean> {
  return await stat(file).then(
    (state) => state.isDirectory(),
    () => false,
  );
}

/** What is not the same for a file that was written to, or another one in its place. */
async function stateOf(handle: FileHandle): Promise<string> {
  const { size, mtimeNs, ino, dev } = await handle.stat({ bigint: true });
  return [size, mtimeNs, ino, dev].join(' ');
}

/** The same of whatever has the name now; undefined where nothing has. */
async function stateAt(file: string): Promise<string | undefined> {
  const handle = await open(file).catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    return await stateOf(handle);
  } finally {
    await handle.close();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
