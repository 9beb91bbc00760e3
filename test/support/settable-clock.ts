import { type Clock, systemClock } from '../../src/kernel/clock.ts';

/** The clock of one process: apart from the machine's by a fixed time, and set forward and back while it runs. */
export class SettableClock {
  readonly #skewMs: number;
  #setByMs = 0;

  constructor(skewMs: number) {
    this.#skewMs = skewMs;
  }

  /** Sets it by so much from what it was at start. Waits and durations go on undisturbed, as on a real machine. */
  setBy(byMs: number): void {
    this.#setByMs = byMs;
  }

  get clock(): Clock {
    return { ...systemClock, now: () => new Date(Date.now() + this.#skewMs + this.#setByMs) };
  }
}
