import { KeyShares } from '../../../http/key-shares.ts';
import { AppError } from '../../../kernel/app-error.ts';
import { type BoundRegistry, Peak } from '../../../telemetry/bounds.ts';

/*
 * How many bytes of results are in memory at once because they are being sent: each from before it is read until its answer is sent or its
 * connection is gone. Who reads slowly holds a part of it, and one key no more than its share.
 */

export interface ResultRoomOptions {
  /** Bytes of JSON, in all. */
  readonly maxBytes: number;
  /** The largest result: one always has room where nothing else is sent. */
  readonly resultBytes: number;
  readonly bounds?: BoundRegistry<'request_results'>;
}

/** How many keys have room beside each other. */
const shares = 5;
const retryAfterMs = 1000;

/** The room for results that are being sent. */
export class ResultRoom {
  readonly #maxBytes: number;
  readonly #byKey: KeyShares;
  readonly #peak = new Peak();
  #bytes = 0;

  constructor({ maxBytes, resultBytes, bounds }: ResultRoomOptions) {
    this.#maxBytes = Math.max(maxBytes, resultBytes);
    this.#byKey = new KeyShares(Math.max(resultBytes, Math.floor(this.#maxBytes / shares)));
    bounds?.register('request_results', {
      limit: this.#maxBytes,
      takePeak: () => this.#peak.take(this.#bytes),
    });
  }

  /** Bytes that are taken. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes room; answers how to give it back, once. Throws MILLRACE_OVERLOADED, and MILLRACE_RATE_LIMITED where the key has its share. */
  take(bytes: number, key: string | undefined): () => void {
    if (this.#bytes + bytes > this.#maxBytes)
      throw new AppError('MILLRACE_OVERLOADED', `${this.#bytes} bytes of results are being sent.`, {
        retryAfterMs,
      });
    if (!this.#byKey.tryToTake(key, bytes))
      throw new AppError(
        'MILLRACE_RATE_LIMITED',
        `This API key is being sent as many bytes of results as it may at once: ${this.#byKey.share}.`,
        { retryAfterMs },
      );
    this.#bytes += bytes;
    this.#peak.note(this.#bytes);
    let isGiven = false;
    return () => {
      if (isGiven) return;
      isGiven = true;
      this.#bytes -= bytes;
      this.#byKey.give(key, bytes);
    };
  }
}
