import type { Clock } from '../kernel/clock.ts';
import { adaptedConcurrency, type ConcurrencyBounds } from './adaptive-concurrency.ts';

/*
 * Backpressure on one stage in one process: how many messages are worked on at once, and whether any are taken at all.
 *
 *   taking ─► paused    every one of the last runs was put aside: there is nothing that could go on
 *     ▲          │
 *     └──────────┘      the first of them is due again
 *
 * It is told of runs and of waits, and asked for a decision every quarter of a second.
 */

/** What a stage's consumer is to be set to. */
export interface StagePace {
  readonly concurrency: number;
  readonly isPaused: boolean;
}

/** Runs in a row that were put aside before the stage is paused; with fewer slots, as many as there are slots. */
const runsBeforePause = 4;
/** A pause is looked at again after this long, whatever the work put aside waits for. */
const maxPauseMs = 10_000;
/** Shorter waits are the cost of asking, not of a limit. */
const minWaitMs = 50;

export interface StageGateOptions {
  readonly bounds: ConcurrencyBounds;
  readonly startAt: number;
  /** Whether fewer messages are taken while the event loop runs late. */
  readonly followsLag: boolean;
  readonly clock: Clock;
}

export class StageGate {
  readonly #options: StageGateOptions;
  #concurrency: number;
  #active = 0;
  #peak = 0;
  #parked = 0;
  #waited = 0;
  /** Runs that were put aside and have not ended yet. */
  #endingParked = 0;
  #parkedInARow = 0;
  #dueMs = Infinity;
  #pausedUntilMs = 0;

  constructor(options: StageGateOptions) {
    this.#options = options;
    this.#concurrency = options.startAt;
  }

  get concurrency(): number {
    return this.#concurrency;
  }

  get active(): number {
    return this.#active;
  }

  runBegan(): void {
    this.#active += 1;
    this.#peak = Math.max(this.#peak, this.#active);
  }

  /** A run has ended; `parked` was told before when its message was put aside. */
  runEnded(): void {
    this.#active -= 1;
    if (this.#endingParked > 0) {
      this.#endingParked -= 1;
      return;
    }
    this.#parkedInARow = 0;
    this.#dueMs = Infinity;
  }

  /** The message of a run was put aside until after this delay. */
  parked(delayMs: number): void {
    this.#endingParked += 1;
    this.#parked += 1;
    this.#parkedInARow += 1;
    this.#dueMs = Math.min(this.#dueMs, this.#options.clock.monotonicMs() + delayMs);
  }

  /** A request of the stage has waited for its limit. */
  waited(waitedMs: number): void {
    if (waitedMs >= minWaitMs) this.#waited += 1;
  }

  /** The pace from now on. What was seen so far is then forgotten. */
  decide(lagMs: number): StagePace {
    const nowMs = this.#options.clock.monotonicMs();
    const isPaused = nowMs < this.#pausedUntilMs;
    if (!isPaused) {
      const { bounds, followsLag } = this.#options;
      this.#concurrency = adaptedConcurrency(this.#concurrency, bounds, {
        peak: this.#peak,
        parked: this.#parked,
        waited: this.#waited,
        lagMs: followsLag ? lagMs : 0,
      });
    }
    this.#peak = this.#active;
    this.#parked = 0;
    this.#waited = 0;
    return { concurrency: this.#concurrency, isPaused: isPaused || this.#mustPause(nowMs) };
  }

  #mustPause(nowMs: number): boolean {
    if (this.#parkedInARow < Math.min(runsBeforePause, this.#concurrency)) return false;
    this.#pausedUntilMs = Math.min(this.#dueMs, nowMs + maxPauseMs);
    this.#parkedInARow = 0;
    this.#dueMs = Infinity;
    return this.#pausedUntilMs > nowMs;
  }
}
