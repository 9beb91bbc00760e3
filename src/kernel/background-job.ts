import type { Clock } from './clock.ts';

/*
 * A background job that is done over and over: never twice at once, at once again while there is more to do, otherwise after a
 * pause. How each turn ends is reported; after a failure the background job goes on after its pause. `stop` resolves after the
 * last effect.
 */

/** How a turn ended. */
export type TurnEnd =
  | { readonly kind: 'succeeded' }
  /** `failingMs`: from the first failure since the last success until now, so 0 at the first. */
  | { readonly kind: 'failed'; readonly error: unknown; readonly failingMs: number };

export interface BackgroundLoopOptions {
  readonly clock: Clock;
  /** The pause after a turn that found nothing more to do. */
  readonly intervalMs: number;
  /** One turn; true when there is more to do at once. */
  readonly turn: (signal: AbortSignal) => Promise<boolean>;
  readonly onTurnEnd: (end: TurnEnd) => void;
}

export class BackgroundJob {
  readonly #options: BackgroundLoopOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #failingSinceMs: number | undefined;

  constructor(options: BackgroundLoopOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Cuts the present pause short. */
  nudge(): void {
    this.#wake?.();
  }

  /** Lets the present turn end, then ends. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const hasMore = await this.#turn(signal);
      if (!hasMore) await this.#pause(signal);
    }
  }

  async #turn(signal: AbortSignal): Promise<boolean> {
    const { turn, clock, onTurnEnd } = this.#options;
    try {
      const hasMore = await turn(signal);
      this.#failingSinceMs = undefined;
      onTurnEnd({ kind: 'succeeded' });
      return hasMore;
    } catch (error) {
      const nowMs = clock.monotonicMs();
      this.#failingSinceMs ??= nowMs;
      onTurnEnd({ kind: 'failed', error, failingMs: nowMs - this.#failingSinceMs });
      return false;
    }
  }

  async #pause(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { clock, intervalMs } = this.#options;
    const ended = new AbortController();
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    const slept = clock.sleep(intervalMs, ended.signal).catch((error: unknown) => {
      if (!ended.signal.aborted) throw error;
    });
    await Promise.race([woken, slept]);
    this.#wake = undefined;
    ended.abort(new Error('the pause was cut short'));
  }
}
