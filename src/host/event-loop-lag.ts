import { monitorEventLoopDelay } from 'node:perf_hooks';

/** How late the event loop of this process runs: measured while it is watched. */
export class EventLoopLag {
  readonly #delay = monitorEventLoopDelay({ resolution: 20 });

  start(): void {
    this.#delay.enable();
  }

  stop(): void {
    this.#delay.disable();
  }

  /** The mean since the last reading, in milliseconds. */
  readMs(): number {
    const { mean } = this.#delay;
    this.#delay.reset();
    // The histogram holds the timer's own 20 ms; before its first sample there is no mean.
    return Number.isNaN(mean) ? 0 : Math.max(0, mean / 1e6 - 20);
  }
}
