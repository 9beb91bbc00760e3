/*
 * How long to lease a stage's messages: longer than three times the stage's p99, by measurement. The durations of
 * the last runs are kept; every so often their p99 is taken anew. A dead worker's messages are taken over when its
 * lease runs out, so the length is also the time that a crash costs: 15 s at least, 10 minutes at most.
 */

const windowSize = 512;
const recomputeEvery = 64;
const minLeaseMs = 15_000;
const maxLeaseMs = 600_000;

export class LeaseLength {
  readonly #durations: number[] = [];
  #next = 0;
  #untilRecompute = recomputeEvery;
  #leaseMs = minLeaseMs;

  /** The length to ask for now. */
  get leaseMs(): number {
    return this.#leaseMs;
  }

  /** Takes note of how long a run took. */
  record(durationMs: number): void {
    this.#durations[this.#next] = durationMs;
    this.#next = (this.#next + 1) % windowSize;
    this.#untilRecompute -= 1;
    if (this.#untilRecompute > 0) return;
    this.#untilRecompute = recomputeEvery;
    const sorted = this.#durations.toSorted((left, right) => left - right);
    const p99 = sorted[Math.ceil(sorted.length * 0.99) - 1] ?? 0;
    this.#leaseMs = Math.round(Math.min(Math.max(3 * p99, minLeaseMs), maxLeaseMs));
  }
}

/** The lease lengths of all stages of a process. */
export class LeaseLengths {
  readonly #lengths = new Map<string, LeaseLength>();

  of(stage: string): LeaseLength {
    const known = this.#lengths.get(stage);
    if (known !== undefined) return known;
    const length = new LeaseLength();
    this.#lengths.set(stage, length);
    return length;
  }
}
