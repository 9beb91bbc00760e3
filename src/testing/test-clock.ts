import { type Clock, sleepOn, systemClock, type Timer } from '../kernel/clock.ts';

interface Running {
  readonly dueMs: number;
  readonly act: () => void;
}

/**
 * The clock of a test kit: the machine's, set forward by the test. A timer is due when both together have reached its
 * time, so that a test need not wait for a time limit, and what the test does not set forward ends all the same.
 */
export class TestClock implements Clock {
  #aheadMs = 0;
  readonly #running = new Map<Timer, Running>();

  now(): Date {
    return new Date(systemClock.now().getTime() + this.#aheadMs);
  }

  monotonicMs(): number {
    return systemClock.monotonicMs() + this.#aheadMs;
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal);
  }

  startTimer(delayMs: number, act: () => void): Timer {
    const own = systemClock.startTimer(delayMs, () => this.#call(timer));
    const timer: Timer = {
      close: () => {
        own.close();
        this.#running.delete(timer);
      },
      unref: () => {
        own.unref();
        return timer;
      },
    };
    this.#running.set(timer, { dueMs: this.monotonicMs() + delayMs, act });
    return timer;
  }

  /** Sets it forward, and calls what is due by then in the order of their times. */
  advance(byMs: number): void {
    this.#aheadMs += byMs;
    const nowMs = this.monotonicMs();
    const due = [...this.#running].filter(([, { dueMs }]) => dueMs <= nowMs);
    for (const [timer] of due.toSorted(([, left], [, right]) => left.dueMs - right.dueMs)) this.#call(timer);
  }

  #call(timer: Timer): void {
    const running = this.#running.get(timer);
    timer.close();
    running?.act();
  }
}
