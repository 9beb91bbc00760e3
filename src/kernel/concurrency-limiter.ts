import { AppError } from './app-error.ts';
import type { Clock } from './clock.ts';

/*
 * At most so many pieces of work at once. Those that come when all places are taken wait, first come first served; one
 * that finds the queue full, or that waits too long, is refused. So neither the work nor the queue for it can grow
 * without bound, and who is refused knows at once.
 */

export interface ConcurrencyLimiterOptions {
  /** What is limited, as a refusal names it. */
  readonly what: string;
  readonly limit: number;
  /** How many may wait. */
  readonly maxWaiting: number;
  /** How long one waits at most. */
  readonly maxWaitMs: number;
  readonly clock: Clock;
}

interface Waiter {
  readonly enter: () => void;
  readonly ended: AbortController;
}

const retryAfterMs = 1000;

export class ConcurrencyLimiter {
  readonly #options: ConcurrencyLimiterOptions;
  readonly #waiting: Waiter[] = [];
  #running = 0;
  #peak = 0;

  constructor(options: ConcurrencyLimiterOptions) {
    this.#options = options;
  }

  /** The most that may run or wait at once. */
  get limit(): number {
    return this.#options.limit + this.#options.maxWaiting;
  }

  /** The most that ran or waited at once since this was asked last. */
  takePeak(): number {
    const peak = this.#peak;
    this.#peak = this.#running + this.#waiting.length;
    return peak;
  }

  /** Does the work when there is a place for it. Throws MILLRACE_OVERLOADED when there is none in time. */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    await this.#enter();
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    const { limit, maxWaiting, maxWaitMs, clock } = this.#options;
    if (this.#running < limit) {
      this.#running += 1;
      this.#notePeak();
      return;
    }
    if (this.#waiting.length >= maxWaiting) throw this.#refusal(`${maxWaiting} wait already`);
    const entered = Promise.withResolvers<true>();
    const ended = new AbortController();
    const waiter: Waiter = { enter: () => entered.resolve(true), ended };
    this.#waiting.push(waiter);
    this.#notePeak();
    const tired = clock.sleep(maxWaitMs, ended.signal).then(
      () => false,
      () => true,
    );
    if (await Promise.race([entered.promise, tired])) return;
    const place = this.#waiting.indexOf(waiter);
    // Its turn came in the same moment.
    if (place === -1) return;
    this.#waiting.splice(place, 1);
    throw this.#refusal(`there was no place within ${maxWaitMs} ms`);
  }

  /** The place goes on to the next who waits. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) {
      this.#running -= 1;
      return;
    }
    next.enter();
    next.ended.abort(new Error('its turn came'));
  }

  #notePeak(): void {
    this.#peak = Math.max(this.#peak, this.#running + this.#waiting.length);
  }

  #refusal(why: string): AppError {
    const { what, limit } = this.#options;
    return new AppError('MILLRACE_OVERLOADED', `${what}: ${limit} run at once, and ${why}.`, {
      retryAfterMs,
    });
  }
}
