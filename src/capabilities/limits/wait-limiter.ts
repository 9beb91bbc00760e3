import { Peak } from '../../telemetry/bounds.ts';

/*
 * How many requests may wait for their limits while their messages hold a slot of their stage: half of the stage's slots,
 * so that work for other models goes on, and a bounded number in the process.
 */
export class WaitLimiter {
  readonly #slotsOf: (stage: string) => number | undefined;
  readonly #maxInProcess: number;
  readonly #held = new Map<string, number>();
  readonly #peak = new Peak();
  #all = 0;

  constructor(slotsOf: (stage: string) => number | undefined, maxInProcess: number) {
    this.#slotsOf = slotsOf;
    this.#maxInProcess = maxInProcess;
  }

  /** The most requests that may wait in this process. */
  get limit(): number {
    return this.#maxInProcess;
  }

  takePeak(): number {
    return this.#peak.take(this.#all);
  }

  /** Whether one more request of the stage may wait; if so it holds a place until it is released. */
  acquire(stage: string): boolean {
    const held = this.#held.get(stage) ?? 0;
    const slots = this.#slotsOf(stage);
    const places = slots === undefined ? this.#maxInProcess : Math.max(1, Math.floor(slots / 2));
    if (held >= places || this.#all >= this.#maxInProcess) return false;
    this.#held.set(stage, held + 1);
    this.#all += 1;
    this.#peak.note(this.#all);
    return true;
  }

  release(stage: string): void {
    const held = this.#held.get(stage) ?? 0;
    if (held <= 1) this.#held.delete(stage);
    else this.#held.set(stage, held - 1);
    this.#all -= 1;
  }
}
