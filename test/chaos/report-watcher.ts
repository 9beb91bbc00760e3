import type { Evidence } from './evidence.ts';
import { type HostProcess, pause } from './host-process.ts';
import type { ReportEvidence } from './orders.ts';

const pauseMs = 2000;
const lookMs = 50;

/** Asks for a cost report again and again, from a run's beginning to its end, whatever is away meanwhile. */
export class ReportWatcher {
  readonly #front: HostProcess;
  readonly #refusals = new Map<string, number>();
  readonly #watching: Promise<void>;
  #answered = 0;
  #longestMs = 0;
  #last: ReportEvidence | undefined;
  #isOver = false;

  constructor(front: HostProcess) {
    this.#front = front;
    this.#watching = this.#watch();
  }

  get seen(): Evidence['reports'] {
    return {
      answered: this.#answered,
      refused: Object.fromEntries(this.#refusals),
      longestMs: this.#longestMs,
      ...(this.#last === undefined ? {} : { last: this.#last }),
    };
  }

  /** Asks once more, and resolves. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#watching;
    this.#last = undefined;
    await this.#look();
  }

  async #watch(): Promise<void> {
    while (!this.#isOver) {
      await this.#look();
      const untilMs = performance.now() + pauseMs;
      while (!this.#isOver && performance.now() < untilMs) await pause(lookMs);
    }
  }

  async #look(): Promise<void> {
    const startedMs = performance.now();
    // While the front itself is away nobody can ask.
    const answer = await this.#front.ask({ kind: 'report' }).catch(() => undefined);
    if (answer === undefined) return;
    this.#longestMs = Math.max(this.#longestMs, performance.now() - startedMs);
    if (answer.kind === 'refused') {
      this.#refusals.set(answer.code, (this.#refusals.get(answer.code) ?? 0) + 1);
      return;
    }
    this.#answered += 1;
    this.#last = answer.report;
  }
}
