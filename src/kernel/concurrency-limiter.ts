import { AppError } from './app-error.ts';
import type { Clock } from './clock.ts';

/*
 * At most so many pieces of work at once, and fewer than all of one key. Those that come when all places are taken wait; the keys that
 * wait are served in turn, and the work of one key in the order of coming. One that finds the queue full, or that waits too long, is
 * refused. So neither the work nor the queue for it can grow without bound, nobody takes all of either, and who is refused knows at once.
 */

export interface ConcurrencyLimiterOptions {
  /** What is limited, as a refusal names it. */
  readonly what: string;
  readonly limit: number;
  /** How many may wait. */
  readonly maxWaiting: number;
  /** How many of one key may run. Default: all. */
  readonly limitPerKey?: number;
  /** How many of one key may wait. Default: all. */
  readonly maxWaitingPerKey?: number;
  /** How long one waits at most. */
  readonly maxWaitMs: number;
  readonly clock: Clock;
}

interface Waiter {
  readonly enter: () => void;
  readonly ended: AbortController;
}

/** What one key has here. A line that has nothing is forgotten. */
interface Line {
  running: number;
  readonly waiting: Waiter[];
}

const retryAfterMs = 1000;

export class ConcurrencyLimiter {
  readonly #options: ConcurrencyLimiterOptions;
  /** The key that was served longest ago comes first. */
  readonly #lines = new Map<string | undefined, Line>();
  #running = 0;
  #waiting = 0;
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
    this.#peak = this.#running + this.#waiting;
    return peak;
  }

  /**
   * Does the work when there is a place for it. Work without a key knows no bounds but those of all. Throws MILLRACE_OVERLOADED when
   * there is no place in time, and MILLRACE_RATE_LIMITED when it is the key's own work that takes or awaits them.
   */
  async run<Result>(work: () => Promise<Result>, key?: string): Promise<Result> {
    await this.#enter(key);
    try {
      return await work();
    } finally {
      this.#leave(key);
    }
  }

  async #enter(key: string | undefined): Promise<void> {
    const { limit, maxWaiting, maxWaitMs, maxWaitingPerKey = maxWaiting, clock } = this.#options;
    const line = this.#lines.get(key) ?? { running: 0, waiting: [] };
    // Where places are free, those who wait are of keys that have their share.
    if (this.#running < limit && this.#hasShare(key, line)) {
      this.#begin(key, line);
      this.#notePeak();
      return;
    }
    if (key !== undefined && line.waiting.length >= maxWaitingPerKey)
      throw this.#refusal(key, line, `${maxWaitingPerKey} of this API key wait already`);
    if (this.#waiting >= maxWaiting) throw this.#refusal(key, line, `${maxWaiting} wait already`);
    const entered = Promise.withResolvers<true>();
    const ended = new AbortController();
    const waiter: Waiter = { enter: () => entered.resolve(true), ended };
    line.waiting.push(waiter);
    this.#lines.set(key, line);
    this.#waiting += 1;
    this.#notePeak();
    const tired = clock.sleep(maxWaitMs, ended.signal).then(
      () => false,
      () => true,
    );
    if (await Promise.race([entered.promise, tired])) return;
    const place = line.waiting.indexOf(waiter);
    // Its turn came in the same moment.
    if (place === -1) return;
    const refusal = this.#refusal(key, line, `there was no place within ${maxWaitMs} ms`);
    line.waiting.splice(place, 1);
    this.#waiting -= 1;
    this.#forgetEmpty(key, line);
    throw refusal;
  }

  #hasShare(key: string | undefined, { running }: Line): boolean {
    const { limit, limitPerKey = limit } = this.#options;
    return key === undefined || running < limitPerKey;
  }

  /** Gives the key a place; all others come before it the next time. */
  #begin(key: string | undefined, line: Line): void {
    this.#running += 1;
    line.running += 1;
    this.#lines.delete(key);
    this.#lines.set(key, line);
  }

  /** The place goes on to the next who waits and whose key has not its share already. */
  #leave(key: string | undefined): void {
    this.#running -= 1;
    const line = this.#lines.get(key);
    if (line !== undefined) {
      line.running -= 1;
      this.#forgetEmpty(key, line);
    }
    for (const [nextKey, next] of this.#lines) {
      const [waiter] = next.waiting;
      if (waiter === undefined || !this.#hasShare(nextKey, next)) continue;
      next.waiting.shift();
      this.#waiting -= 1;
      this.#begin(nextKey, next);
      waiter.enter();
      waiter.ended.abort(new Error('its turn came'));
      return;
    }
  }

  #forgetEmpty(key: string | undefined, line: Line): void {
    if (line.running === 0 && line.waiting.length === 0) this.#lines.delete(key);
  }

  #notePeak(): void {
    this.#peak = Math.max(this.#peak, this.#running + this.#waiting);
  }

  #refusal(key: string | undefined, line: Line, why: string): AppError {
    const { what, limit, limitPerKey = limit } = this.#options;
    const isOwn = key !== undefined && !this.#hasShare(key, line);
    const text = isOwn
      ? `${what}: ${limitPerKey} of one API key run at once, and ${why}.`
      : `${what}: ${limit} run at once, and ${why}.`;
    return new AppError(isOwn ? 'MILLRACE_RATE_LIMITED' : 'MILLRACE_OVERLOADED', text, { retryAfterMs });
  }
}
