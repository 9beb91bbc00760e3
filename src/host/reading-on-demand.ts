import type { TurnEnd } from '../kernel/background-job.ts';
import type { Clock } from '../kernel/clock.ts';

/*
 * A reading of the stores that is made when somebody asks, so that a process that nobody asks pays nothing. Those who ask
 * at once share one reading, and one that was just made serves the next too. Who asks waits a little and no more: when
 * the stores are slow, what the last reading found will do, and the one under way serves the next who asks. Only when
 * the last is old, or there was none, the wait is longer; and it ends all the same when the stores are away.
 */

export interface ReadingOnDemandOptions {
  readonly clock: Clock;
  readonly read: () => Promise<void>;
  /** How long a reading is good for, whether it succeeded or not. */
  readonly freshMs: number;
  /** How old the last that succeeded may be to do instead of one that takes long. */
  readonly staleMs: number;
  /** The longest that anybody waits: when there is one that will do, and when there is none. */
  readonly patienceMs: { readonly usual: number; readonly stale: number };
  readonly onEnd: (end: TurnEnd) => void;
}

export class ReadingOnDemand {
  readonly #options: ReadingOnDemandOptions;
  #endedAtMs = -Infinity;
  #succeededAtMs = -Infinity;
  #failingSinceMs: number | undefined;
  #running: Promise<void> | undefined;
  #hasStopped = false;

  constructor(options: ReadingOnDemandOptions) {
    this.#options = options;
  }

  /** Reads anew unless that was just done. Resolves when it is done or patience is over; never rejects. */
  async refresh(): Promise<void> {
    const { clock, freshMs, staleMs, patienceMs } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#running === undefined) {
      if (this.#hasStopped || nowMs - this.#endedAtMs < freshMs) return;
      this.#running = this.#read();
    }
    const isStale = nowMs - this.#succeededAtMs > staleMs;
    const ended = new AbortController();
    const impatient = clock
      .sleep(isStale ? patienceMs.stale : patienceMs.usual, ended.signal)
      .catch((error: unknown) => {
        if (!ended.signal.aborted) throw error;
      });
    await Promise.race([this.#running, impatient]);
    ended.abort(new Error('the reading came in time'));
  }

  /** Begins no further reading; resolves when the last has ended. */
  async stop(): Promise<void> {
    this.#hasStopped = true;
    await this.#running;
  }

  async #read(): Promise<void> {
    const { clock, read, onEnd } = this.#options;
    const failure = await read().then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    const nowMs = clock.monotonicMs();
    this.#endedAtMs = nowMs;
    this.#running = undefined;
    if (failure === undefined) {
      this.#succeededAtMs = nowMs;
      this.#failingSinceMs = undefined;
      onEnd({ kind: 'succeeded' });
    } else {
      this.#failingSinceMs ??= nowMs;
      onEnd({ kind: 'failed', error: failure.error, failingMs: nowMs - this.#failingSinceMs });
    }
  }
}
