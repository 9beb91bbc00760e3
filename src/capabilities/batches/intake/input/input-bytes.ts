import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { AppError } from '../../../../kernel/app-error.ts';
import { UnreadableInput } from './input-faults.ts';

/* The bytes of an input, within bounds, as they come. */

/** Ways to write the bytes of an input. */
export const inputEncodings = ['identity', 'gzip'] as const;
export type InputEncoding = (typeof inputEncodings)[number];

export interface InputByteBounds {
  /** Of what is sent. */
  readonly uploadBytes: number;
  /** Of what becomes of it. */
  readonly decodedBytes: number;
}

/** What was sent, decompressed. Throws MILLRACE_REQUEST_TOO_LARGE, and UnreadableInput for what is not compressed as it says. */
export function decodedBytes(
  pieces: AsyncIterable<Uint8Array>,
  encoding: InputEncoding,
  { uploadBytes, decodedBytes: most }: InputByteBounds,
): AsyncIterable<Uint8Array> {
  const sent = bounded(pieces, uploadBytes, 'batches.uploadBytes');
  return encoding === 'identity' ? sent : bounded(gunzipped(sent), most, 'batches.decodedBytes');
}

/** The same bytes, as long as there are not too many. */
export async function* bounded(
  pieces: AsyncIterable<Uint8Array>,
  most: number,
  setting: string,
): AsyncGenerator<Uint8Array> {
  let count = 0;
  for await (const piece of pieces) {
    count += piece.length;
    if (count > most) throw tooManyBytes(most, setting);
    yield piece;
  }
}

export function tooManyBytes(most: number, setting: string): AppError {
  return new AppError(
    'MILLRACE_REQUEST_TOO_LARGE',
    `The input has more than ${most} bytes. Split it into several batches, or raise ${setting}.`,
  );
}

/** What a stream makes of the bytes. Its errors are those of the bytes, or its own. */
export async function* piped(
  pieces: AsyncIterable<Uint8Array>,
  stream: Duplex,
): AsyncGenerator<unknown, void, undefined> {
  const feeding = pipeline(pieces, stream);
  // It fails with the stream, whose error whoever reads from it gets.
  feeding.catch(() => undefined);
  try {
    for await (const made of stream) yield made;
    await feeding;
  } finally {
    stream.destroy();
  }
}

async function* gunzipped(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    for await (const made of piped(pieces, createGunzip())) if (made instanceof Uint8Array) yield made;
  } catch (error) {
    if (!isZlibError(error)) throw error;
    throw new UnreadableInput(
      { field: '', problem: `cannot be decompressed as gzip: ${error.message}` },
      undefined,
      error,
    );
  }
}

function isZlibError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
}
