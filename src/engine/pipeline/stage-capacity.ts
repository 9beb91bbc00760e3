import type { Clock } from '../../kernel/clock.ts';
import { adaptedConcurrency, type ConcurrencyBounds } from './adaptive-concurrency.ts';

/*
 * Backpressure on one stage in one process: how many messages are worked on at once, and whether any are taken at all.
 *
 *   taking ─► paused    every one of the last runs was put aside: there is nothing that could go on
 *     ▲          │
 *     └──────────┘      the first of them is due again, or the limit would let one through
 *
 * It counts runs and waits, and asked for a decision every quarter of a second.
 */

/** What a stage's consumer is to be set to. */
export interface StagePace {
  readonly concurrency: number;
  readonly isPaused: boolean;
}

/** Runs in a row that were put aside before the stage is paused. */
const runsBeforePause = 4;
/** A pause is looked at again after this long, whatever the work put aside waits for. */
const maxPauseMs = 10_000;
/** Shorter waits are the cost of asking, not of a limit. */
const minWaitMs = 50;

export interface StageCapacityOptions {
  readonly bounds: ConcurrencyBounds;
  readonly startAt: number;
  /** Whether fewer messages are taken while the event loop runs late. */
  readonly followsLag: boolean;
  readonly clock: Clock;
}

export class StageCapacity {
  readonly #options: StageCapacityOptions;
  #concurrency: number;
  #active = 0;
  #peak = 0;
  #hasShrunk = false;
  #waited = 0;
  #waitUntilMs = 0;
  /** Runs that were put aside and have not ended yet. */
  #endingParked = 0;
  #parkedInARow = 0;
  #dueMs = Infinity;
  /** Called while a run goes on, so that another's end does not forget it. */
  #slotAtMs = Infinity;
  #pausedUntilMs = 0;

  constructor(options: StageCapacityOptions) {
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

  /** A run has ended; `parked` was called before when its message was put aside. */
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
    // At once, since the slot would put the next one aside in the same way; but once a turn for all that ended together.
    if (!this.#hasShrunk) this.#adapt({ parked: 1 });
    this.#hasShrunk = true;
    this.#parkedInARow += 1;
    this.#dueMs = Math.min(this.#dueMs, this.#options.clock.monotonicMs() + delayMs);
  }

  /** Work that was put aside could go on after this time, though its message comes back later: others are before it. */
  mayGoOnIn(delayMs: number): void {
    this.#slotAtMs = Math.min(this.#slotAtMs, this.#options.clock.monotonicMs() + delayMs);
  }

  /** A request of the stage begins to wait for its limit, holding a slot. */
  waits(waitMs: number): void {
    if (waitMs < minWaitMs) return;
    this.#waited += 1;
    this.#waitUntilMs = Math.max(this.#waitUntilMs, this.#options.clock.monotonicMs() + waitMs);
  }

  /** The pace from now on. What was seen so far is then forgotten. */
  decide(lagMs: number): StagePace {
    const nowMs = this.#options.clock.monotonicMs();
    const isPaused = nowMs < this.#pausedUntilMs;
    if (!isPaused && !this.#hasShrunk) this.#adapt({ parked: 0, lagMs });
    this.#peak = this.#active;
    this.#hasShrunk = false;
    this.#waited = 0;
    return { concurrency: this.#concurrency, isPaused: isPaused || this.#mustPause(nowMs) };
  }

  #adapt({ parked, lagMs = 0 }: { readonly parked: number; readonly lagMs?: number }): void {
    const { bounds, followsLag, clock } = this.#options;
    this.#concurrency = adaptedConcurrency(this.#concurrency, bounds, {
      peak: this.#peak,
      parked,
      waited: this.#waited + (clock.monotonicMs() < this.#waitUntilMs ? 1 : 0),
      lagMs: followsLag ? lagMs : 0,
    });
  }

  #mustPause(nowMs: number): boolean {
    if (this.#parkedInARow < runsBeforePause) return false;
    this.#pausedUntilMs = Math.min(this.#dueMs, this.#slotAtMs, nowMs + maxPauseMs);
    this.#parkedInARow = 0;
    this.#dueMs = Infinity;
    this.#slotAtMs = Infinity;
    return this.#pausedUntilMs > nowMs;
  }
}
