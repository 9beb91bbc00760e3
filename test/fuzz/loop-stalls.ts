import { threadCpuUsage } from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';

/*
 * Watches how long the event loop of this process is held. The time on the clock alone says little on a machine that
 * others use: so the processor time of this very thread is taken with it, which is what its own code has used.
 */

/** One time that the loop was held. */
export interface LoopStall {
  /** When it began, in milliseconds since the process started. */
  readonly atMs: number;
  readonly tookMs: number;
  /** Processor time of the thread in it. */
  readonly cpuMs: number;
}

export interface LoopReport {
  readonly turns: number;
  readonly longestMs: number;
  readonly longestCpuMs: number;
  /** Those longer than the limit, by the clock; at most 200. */
  readonly stalls: readonly LoopStall[];
}

const pauseMs = 2;
const maxStalls = 200;

export class LoopWatch {
  readonly #limitMs: number;
  #turns = 0;
  #longestMs = 0;
  #longestCpuMs = 0;
  #stalls: LoopStall[] = [];

  constructor(limitMs = 50) {
    this.#limitMs = limitMs;
  }

  /** Watches until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    let began = performance.now();
    let cpuBegan = cpuNowMs();
    while (!signal.aborted) {
      await pause(pauseMs);
      const now = performance.now();
      const cpuNow = cpuNowMs();
      this.#note({ atMs: began, tookMs: now - began - pauseMs, cpuMs: cpuNow - cpuBegan });
      began = now;
      cpuBegan = cpuNow;
    }
  }

  /** What was seen since the last report. */
  take(): LoopReport {
    const report = {
      turns: this.#turns,
      longestMs: this.#longestMs,
      longestCpuMs: this.#longestCpuMs,
      stalls: this.#stalls,
    };
    this.#turns = 0;
    this.#longestMs = 0;
    this.#longestCpuMs = 0;
    this.#stalls = [];
    return report;
  }

  #note(stall: LoopStall): void {
    this.#turns += 1;
    this.#longestMs = Math.max(this.#longestMs, stall.tookMs);
    this.#longestCpuMs = Math.max(this.#longestCpuMs, stall.cpuMs);
    if (stall.tookMs > this.#limitMs && this.#stalls.length < maxStalls) this.#stalls.push(stall);
  }
}

function cpuNowMs(): number {
  const { user, system } = threadCpuUsage();
  return (user + system) / 1000;
}
