import { type Clock, sleepOn, type Timer } from './clock.ts';

/** A clock that a test sets, for tests: time stands until it is advanced. Timers are due in the order of their times. */
export class ManualClock implements Clock {
  #nowMs: number;
  readonly #timers = new Map<Timer, { readonly dueMs: number; readonly act: () => void }>();

  constructor(start: Date = new Date('2026-01-01T00:00:00Z')) {
    this.#nowMs = start.getTime();
  }

  now(): Date {
    return new Date(this.#nowMs);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal);
  }

  startTimer(delayMs: number, act: () => void): Timer {
    const timer: Timer = { close: () => void this.#timers.delete(timer), unref: () => timer };
    this.#timers.set(timer, { dueMs: this.#nowMs + Math.max(0, delayMs), act });
    return timer;
  }

  /** How many timers run, those that somebody sleeps by among them. */
  get sleepers(): number {
    return this.#timers.size;
  }

  /** Lets time pass. Each timer that is due is called at its time, those that are started meanwhile too. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    for (;;) {
      const [next] = [...this.#timers]
        .filter(([, { dueMs }]) => dueMs <= untilMs)
        .toSorted(([, left], [, right]) => left.dueMs - right.dueMs);
      if (next === undefined) break;
      const [timer, { dueMs, act }] = next;
      this.#timers.delete(timer);
      this.#nowMs = Math.max(this.#nowMs, dueMs);
      act();
    }
    this.#nowMs = untilMs;
  }
}
