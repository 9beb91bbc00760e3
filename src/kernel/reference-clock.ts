import type { Clock, Timer } from './clock.ts';

/*
 * A clock that shows another machine's time, the reference's, measured now and then and carried on by this machine's
 * monotonic clock in between. Once measured, this machine's wall clock has no part in it.
 *
 * Each measurement bounds the reference's distance from the monotonic clock: the answer was made after it was asked for
 * and before it came. The distance moves only as far as these bounds demand. So a slow answer, which proves little, moves
 * nothing; a slow drift is followed; and what moves it far is a jump. Before the first measurement it shows the wall clock.
 */

/** One reading of the reference. */
export interface ReferenceReading {
  /** The reference's time, in milliseconds since 1970, fractions included. */
  readonly timeMs: number;
  /** On the monotonic clock: when it was asked for, and when the answer had come. */
  readonly askedMs: number;
  readonly answeredMs: number;
}

export class ReferenceClock implements Clock {
  readonly #own: Clock;
  /** The reference's time less the monotonic clock's. */
  #distanceMs: number | undefined;

  constructor(own: Clock) {
    this.#own = own;
  }

  now(): Date {
    return this.#distanceMs === undefined
      ? this.#own.now()
      : new Date(this.#distanceMs + this.#own.monotonicMs());
  }

  monotonicMs(): number {
    return this.#own.monotonicMs();
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return this.#own.sleep(delayMs, signal);
  }

  startTimer(delayMs: number, act: () => void): Timer {
    return this.#own.startTimer(delayMs, act);
  }

  /** How far this machine's wall clock is behind what this clock shows, in milliseconds; negative: ahead. */
  offsetMs(): number {
    return this.#distanceMs === undefined
      ? 0
      : this.#distanceMs + this.#own.monotonicMs() - this.#own.now().getTime();
  }

  /** Asks for the reference's time and takes it. Answers by how much that moved this clock, 0 at the first time. */
  async measure(readTimeMs: () => Promise<number>): Promise<number> {
    const askedMs = this.#own.monotonicMs();
    const timeMs = await readTimeMs();
    return this.take({ timeMs, askedMs, answeredMs: this.#own.monotonicMs() });
  }

  /** Takes a reading. Answers by how many milliseconds that moved this clock, 0 at the first time. */
  take({ timeMs, askedMs, answeredMs }: ReferenceReading): number {
    const least = timeMs - answeredMs;
    const most = timeMs - askedMs;
    if (this.#distanceMs === undefined) {
      this.#distanceMs = (least + most) / 2;
      return 0;
    }
    const was = this.#distanceMs;
    this.#distanceMs = Math.min(Math.max(was, least), most);
    return this.#distanceMs - was;
  }
}
