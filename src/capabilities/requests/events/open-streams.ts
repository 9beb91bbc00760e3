import { Readable } from 'node:stream';
import { AppError } from '../../../kernel/app-error.ts';
import type { Clock, Timer } from '../../../kernel/clock.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import { type BoundRegistry, Peak } from '../../../telemetry/bounds.ts';
import type { StreamedEvent } from './event-stream.ts';
import { isFinal } from './request-event.ts';
import type { StreamRendering } from './native-rendering.ts';
import { sseHeartbeat } from './sse-frame.ts';

/*
 * The streams that are open in this process. A reader is given what it takes, and no more is held for it than its stream buffers; one that takes nothing for
 * a while though something waits is dropped, and reads on from the log when it comes back. When the process stops, its streams end, and
 * their clients connect elsewhere.
 */

/** How a stream ended. */
export const streamEnds = ['final', 'left', 'dropped', 'time', 'stopped', 'failed'] as const;
export type StreamEnd = (typeof streamEnds)[number];

export interface OpenStreamsOptions {
  readonly clock: Clock;
  /** How many at once, in all. */
  readonly maxStreams: number;
  /** How many of one key. */
  readonly maxStreamsPerKey: number;
  readonly heartbeatMs: number;
  readonly maxStallMs: number;
  /** The longest that a stream is open; its client connects again. */
  readonly maxStreamMs: number;
  readonly onEnd: (end: StreamEnd) => void;
  /** Called with what ended a stream that should have gone on. */
  readonly onError: (error: unknown) => void;
  /** Called when the first piece of published text goes out, with how long after the request was accepted that is. */
  readonly onFirstText: (seconds: number) => void;
  readonly bounds?: BoundRegistry<'request_streams'>;
}

/** A stream that is about to be opened. */
export interface NewStream {
  readonly rendering: StreamRendering;
  /** Whose share it uses; nobody's where callers have no key. */
  readonly share: Uuid | undefined;
  /** When its request was accepted, where its text is told for the first time and not replayed. */
  readonly acceptedAt: Date | undefined;
  readonly events: (signal: AbortSignal) => AsyncGenerator<StreamedEvent, void>;
  /** Called once, when it is closed. */
  readonly onClosed: () => void;
}

interface ReadableEvents {
  readonly onStalled: () => void;
  readonly onFailed: (error: unknown) => void;
  readonly onDestroy: () => void;
}

const retryAfterMs = 2000;

export class OpenStreams {
  readonly #options: OpenStreamsOptions;
  readonly #open = new Set<(end: StreamEnd) => void>();
  readonly #byShare = new Map<Uuid, number>();
  readonly #peak = new Peak();
  #isStopping = false;

  constructor(options: OpenStreamsOptions) {
    this.#options = options;
    options.bounds?.register('request_streams', {
      limit: options.maxStreams,
      takePeak: () => this.#peak.take(this.#open.size),
    });
  }

  /** How many are open. */
  get size(): number {
    return this.#open.size;
  }

  /** Opens a stream. Throws MILLRACE_OVERLOADED and MILLRACE_RATE_LIMITED where there are too many. */
  open(stream: NewStream): Readable {
    const { maxStreams, maxStreamsPerKey, maxStreamMs, clock, onEnd, onError } = this.#options;
    const { share, onClosed } = stream;
    if (this.#isStopping || this.#open.size >= maxStreams)
      throw new AppError('MILLRACE_OVERLOADED', 'Too many streams are open.', { retryAfterMs });
    const ofShare = share === undefined ? 0 : (this.#byShare.get(share) ?? 0);
    if (ofShare >= maxStreamsPerKey)
      throw new AppError('MILLRACE_RATE_LIMITED', `${ofShare} streams of this API key are open.`, {
        retryAfterMs,
      });
    if (share !== undefined) this.#byShare.set(share, ofShare + 1);
    const leaving = new AbortController();
    let how: StreamEnd = 'left';
    const end = (why: StreamEnd): void => {
      how = why;
      leaving.abort();
    };
    this.#open.add(end);
    this.#peak.note(this.#open.size);
    const timer = clock.startTimer(maxStreamMs, () => end('time')).unref();
    const pieces = this.#pieces(stream, leaving.signal, () => {
      how = 'final';
    });
    const readable = this.#readableOf(pieces, {
      onStalled: () => {
        how = 'dropped';
      },
      onFailed: (error) => {
        how = 'failed';
        onError(error);
      },
      onDestroy: () => leaving.abort(),
    });
    readable.once('close', () => {
      timer.close();
      this.#open.delete(end);
      if (share !== undefined) this.#give(share);
      onEnd(how);
      onClosed();
    });
    return readable;
  }

  /** Ends all streams; no more are opened. */
  stop(): void {
    this.#isStopping = true;
    for (const end of this.#open) end('stopped');
  }

  /** Takes pieces only while there is room for them. A reader that makes none for too long is dropped. */
  #readableOf(
    pieces: AsyncGenerator<string, void>,
    { onStalled, onFailed, onDestroy }: ReadableEvents,
  ): Readable {
    const { clock, maxStallMs } = this.#options;
    let stalled: Timer | undefined;
    let isPumping = false;
    const pump = async (): Promise<void> => {
      for (;;) {
        const { done, value } = await pieces.next();
        if (readable.destroyed) return;
        if (done === true) {
          readable.push(null);
          return;
        }
        if (readable.push(value)) continue;
        isPumping = false;
        stalled = clock
          .startTimer(maxStallMs, () => {
            onStalled();
            readable.destroy();
          })
          .unref();
        return;
      }
    };
    const readable = new Readable({
      read: () => {
        stalled?.close();
        if (isPumping) return;
        isPumping = true;
        pump().catch((error: unknown) => {
          onFailed(error);
          readable.destroy();
        });
      },
      destroy: (error, done) => {
        stalled?.close();
        onDestroy();
        // One that waits for room would wait for ever.
        abandon(pieces);
        done(error);
      },
    });
    return readable;
  }

  #give(share: Uuid): void {
    const left = (this.#byShare.get(share) ?? 0) - 1;
    if (left > 0) this.#byShare.set(share, left);
    else this.#byShare.delete(share);
  }

  async *#pieces(
    { rendering, events, acceptedAt }: NewStream,
    signal: AbortSignal,
    onFinal: () => void,
  ): AsyncGenerator<string, void> {
    const { clock, heartbeatMs, onFirstText } = this.#options;
    yield rendering.begin() || sseHeartbeat;
    const source = events(signal);
    let hasText = acceptedAt === undefined;
    let next = source.next();
    try {
      for (;;) {
        const streamed = await orHeartbeat(next, heartbeatMs, clock);
        if (streamed === 'heartbeat') {
          yield sseHeartbeat;
          continue;
        }
        if (streamed.done === true) break;
        next = source.next();
        const { event } = streamed.value;
        const isEnd = isFinal(event);
        if (!hasText && event.kind === 'text-delta') {
          hasText = true;
          if (acceptedAt !== undefined)
            onFirstText(Math.max(0, clock.now().getTime() - acceptedAt.getTime()) / 1000);
        }
        const piece = rendering.render(streamed.value) + (isEnd ? rendering.end() : '');
        if (piece === '') continue;
        if (isEnd) onFinal();
        yield piece;
      }
    } finally {
      await source.return();
    }
  }
}

/** Ends a generator that nobody reads any more. */
function abandon(pieces: AsyncGenerator<string, void>): void {
  pieces.return().catch(() => undefined);
}

/** What the promise gives, or a heartbeat when that takes too long. */
async function orHeartbeat<T>(next: Promise<T>, heartbeatMs: number, clock: Clock): Promise<T | 'heartbeat'> {
  const { promise, resolve } = Promise.withResolvers<'heartbeat'>();
  const timer = clock.startTimer(heartbeatMs, () => resolve('heartbeat')).unref();
  try {
    return await Promise.race([next, promise]);
  } finally {
    timer.close();
  }
}
