import { Readable } from 'node:stream';
import type { Clock, Timer } from '../kernel/clock.ts';

const maxStallMs = 60_000;

/** The pieces as a stream, which ends when its reader takes nothing for a while: it holds on to what they are read from. */
export function streamOf(pieces: AsyncGenerator<string | Uint8Array>, clock: Clock): Readable {
  let stalled: Timer | undefined;
  async function* watched(): AsyncGenerator<string | Uint8Array> {
    for await (const piece of pieces) {
      stalled = clock.startTimer(maxStallMs, () =>
        stream.destroy(new Error('the reader of the export takes nothing')),
      );
      yield piece;
      stalled.close();
    }
  }
  const stream = Readable.from(watched(), { objectMode: false });
  stream.once('close', () => stalled?.close());
  return stream;
}

/** The pieces again, of which the first was read: what refuses the whole is answered as a problem, before any of it is sent. */
export async function* startingWith<Piece>(
  first: IteratorResult<Piece, unknown>,
  rest: AsyncGenerator<Piece>,
): AsyncGenerator<Piece> {
  if (first.done === true) return;
  yield first.value;
  yield* rest;
}
