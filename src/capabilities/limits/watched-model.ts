import { type Circuit, type CircuitCounts, closedCircuit } from './circuit.ts';
import type { ModelCount, ModelReading, StoredCircuit } from './model-health-store.ts';

/* What one process knows about one model: as the ledger said, and what it has counted since. */

export interface Unreported extends CircuitCounts {
  readonly firsts: number;
}

const nothingUnreported: Unreported = { firsts: 0, successes: 0, failures: 0, timeouts: 0 };

export class WatchedModel {
  readonly provider: string;
  readonly model: string;
  circuit: Circuit = closedCircuit;
  version = 0;
  openedAt: Date | undefined;
  /** On the monotonic clock. */
  openUntilMs = 0;
  sinceProbeMs = 0;
  /** When a request last asked, on the monotonic clock. */
  askedMs: number;
  /** Probes that the ledger is being asked for. */
  probesAsked = 0;
  /** Refused since the circuit's last turn. */
  refusals = 0;
  retries = 0;
  firsts = 0;
  #shared: CircuitCounts = nothingUnreported;
  #unreported: Unreported = nothingUnreported;
  /** Retries that were permitted and not sent, by the window that they were counted in. */
  readonly #givenBack = new Map<number, number>();

  constructor(provider: string, model: string, askedMs: number) {
    this.provider = provider;
    this.model = model;
    this.askedMs = askedMs;
  }

  /** The window as far as this process knows: all processes' counts, and its own that nobody knows yet. */
  get counts(): CircuitCounts {
    return sum(this.#shared, this.#unreported);
  }

  tell(what: keyof Unreported): void {
    this.#unreported = { ...this.#unreported, [what]: this.#unreported[what] + 1 };
  }

  giveBackRetry(windowStart: Date): void {
    const window = windowStart.getTime();
    this.#givenBack.set(window, (this.#givenBack.get(window) ?? 0) + 1);
  }

  /** Hands out what there is to tell, and what to do when telling it failed. */
  takeUnreported(): { readonly counts: readonly ModelCount[]; readonly restore: () => void } {
    const unreported = this.#unreported;
    const { provider, model } = this;
    const counts: ModelCount[] = [];
    if (Object.values(unreported).some((count) => count > 0)) {
      counts.push({ provider, model, windowStart: undefined, retries: 0, ...unreported });
    }
    for (const [window, retries] of this.#givenBack) {
      const windowStart = new Date(window);
      counts.push({ provider, model, windowStart, ...nothingUnreported, retries: -retries });
    }
    this.#unreported = nothingUnreported;
    this.#givenBack.clear();
    this.#shared = sum(this.#shared, unreported);
    return {
      counts,
      // Nobody knows whether it was written after all. What would loosen the retry budget if it counted twice is
      // dropped; the budget is then too strict for the length of its window, never too loose.
      restore: () => {
        this.#shared = difference(this.#shared, unreported);
        this.#unreported = { ...sum(this.#unreported, unreported), firsts: this.#unreported.firsts };
      },
    };
  }

  /** Takes in what the ledger said; `added` is what this process reported with the same question. */
  read(reading: Omit<ModelReading, 'provider' | 'model'>, added: readonly ModelCount[], nowMs: number): void {
    const own = added.filter(({ provider, model }) => provider === this.provider && model === this.model);
    this.#shared = own.reduce<CircuitCounts>(sum, reading.counts);
    this.firsts = own.reduce((firsts, count) => firsts + count.firsts, reading.firsts);
    this.retries = own.reduce((retries, count) => retries + count.retries, reading.retries);
    this.sinceProbeMs = reading.sinceProbeMs;
    this.take(reading, nowMs);
  }

  /** Takes in a circuit, as the ledger holds it now. True when its state is another one than was known. */
  take({ circuit, version, openedAt, remainingMs }: StoredCircuit, nowMs: number): boolean {
    const hasTurned = circuit.state !== this.circuit.state;
    if (hasTurned) this.refusals = 0;
    this.circuit = circuit;
    this.version = version;
    this.openedAt = openedAt;
    this.openUntilMs = nowMs + remainingMs;
    return hasTurned;
  }

  /** The outcomes that led to the circuit's opening are past. */
  forgetOutcomes(): void {
    this.#shared = nothingUnreported;
    this.#unreported = { ...nothingUnreported, firsts: this.#unreported.firsts };
  }
}

function sum(left: CircuitCounts, right: CircuitCounts): CircuitCounts {
  return {
    successes: left.successes + right.successes,
    failures: left.failures + right.failures,
    timeouts: left.timeouts + right.timeouts,
  };
}

function difference(left: CircuitCounts, right: CircuitCounts): CircuitCounts {
  return {
    successes: left.successes - right.successes,
    failures: left.failures - right.failures,
    timeouts: left.timeouts - right.timeouts,
  };
}
