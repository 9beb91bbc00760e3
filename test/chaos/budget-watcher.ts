import { type HostProcess, pause } from './host-process.ts';

/** Adding up reads every call: it is given at most this share of the time. */
const restPerLook = 15;
const leastPauseMs = 500;
const mostPauseMs = 5000;
const lookMs = 20;

/** Adds the budgets up again and again, from a run's beginning to its end. */
export class BudgetWatcher {
  readonly #front: HostProcess;
  readonly #faults = new Set<string>();
  readonly #watching: Promise<void>;
  #looks = 0;
  #isOver = false;

  constructor(front: HostProcess) {
    this.#front = front;
    this.#watching = this.#watch();
  }

  get seen(): { readonly looks: number; readonly faults: readonly string[] } {
    return { looks: this.#looks, faults: [...this.#faults] };
  }

  /** Looks once more, and resolves. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#watching;
    await this.#look();
  }

  async #watch(): Promise<void> {
    while (!this.#isOver) {
      const startedMs = performance.now();
      await this.#look();
      const tookMs = performance.now() - startedMs;
      const untilMs = performance.now() + Math.min(mostPauseMs, Math.max(leastPauseMs, restPerLook * tookMs));
      while (!this.#isOver && performance.now() < untilMs) await pause(lookMs);
    }
  }

  async #look(): Promise<void> {
    // While its stores are away the front cannot say.
    const faults = await this.#front.ask({ kind: 'budget_faults' }).catch(() => undefined);
    if (faults === undefined) return;
    this.#looks += 1;
    for (const fault of faults) this.#faults.add(fault);
  }
}
