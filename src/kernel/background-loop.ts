import type { Clock } from './clock.ts';

/*
 * A named chore that is done over and over: never twice at once, at once again while there is more to do, otherwise
 * after a pause. A failure is reported and the chore goes on after its pause. `stop` resolves after the last effect.
 */

export interface BackgroundLoopOptions {
  readonly name: string;
  readonly clock: Clock;
  /** The pause after a turn that found nothing more to do. */
  readonly pauseMs: number;
  /** One turn; true when there is more to do at once. */
  readonly turn: (signal: AbortSignal) => Promise<boolean>;
  readonly onError: (error: unknown, name: string) => void;
}

export class BackgroundLoop {
  readonly #options: BackgroundLoopOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #wake: (() => void) | undefined;

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
    try {
      return await this.#options.turn(signal);
    } catch (error) {
      this.#options.onError(error, this.#options.name);
      return false;
    }
  }

  async #pause(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { clock, pauseMs } = this.#options;
    const ended = new AbortController();
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    const slept = clock.sleep(pauseMs, ended.signal).catch((error: unknown) => {
      if (!ended.signal.aborted) throw error;
    });
    await Promise.race([woken, slept]);
    this.#wake = undefined;
    ended.abort(new Error('the pause was cut short'));
  }
}
