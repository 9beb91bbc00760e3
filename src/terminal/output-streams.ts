import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/*
 * Where commands write. Who reads may stop at any time (`| head`): that is no failure, and nothing is said of it. A command that changes something
 * goes on to its end, one that only writes ends.
 */

/** Streams whose reader is gone, with the errors that said so. */
const readerGone = new WeakMap<NodeJS.WritableStream, Set<unknown>>();

/** From now on nothing happens when the stream's reader is gone; any other failure to write is thrown as before. Once for each stream. */
export function allowReaderToLeave(stream: NodeJS.WritableStream): void {
  if (readerGone.has(stream)) return;
  const errors = new Set<unknown>();
  readerGone.set(stream, errors);
  stream.on('error', (error: Error) => {
    if (!('code' in error) || error.code !== 'EPIPE') {
      // Whoever else listens has it; else it ends the process, as if nobody listened here.
      if (stream.listenerCount('error') > 1) return;
      throw error;
    }
    // Every further write fails in the same way.
    errors.clear();
    errors.add(error);
  });
}

/** Whether nobody has been found to have stopped reading. */
export function hasReader(stream: NodeJS.WritableStream): boolean {
  return (readerGone.get(stream)?.size ?? 0) === 0;
}

/** Whether this error is the one by which the stream's reader was found gone, and not that of a socket. */
export function isOfGoneReader(error: unknown, stream: NodeJS.WritableStream): boolean {
  return readerGone.get(stream)?.has(error) ?? false;
}

/** Writes what programs read, as it is, as fast as it is taken. Throws what writing fails with. */
export async function writePieces(
  stream: NodeJS.WritableStream,
  pieces: AsyncIterable<string | Uint8Array>,
): Promise<void> {
  await pipeline(Readable.from(pieces, { objectMode: false }), stream, { end: false });
}
