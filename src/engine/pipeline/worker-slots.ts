import { Peak } from '../../telemetry/bounds.ts';

/** The places of a stage in one process: as many runs at once as there are slots. */
export class WorkerSlots {
  readonly #onChange: (busy: number) => void;
  readonly #busyPeak = new Peak();
  #waiters: (() => void)[] = [];
  #capacity: number;
  #busy = 0;

  /** `onChange` is called whenever the number of busy slots has changed. */
  constructor(capacity: number, onChange: (busy: number) => void = () => undefined) {
    this.#capacity = capacity;
    this.#onChange = onChange;
  }

  get busy(): number {
    return this.#busy;
  }

  get capacity(): number {
    return this.#capacity;
  }

  get free(): number {
    return Math.max(0, this.#capacity - this.#busy);
  }

  /** The most slots that were busy at once since this was asked last. */
  takeBusyPeak(): number {
    return this.#busyPeak.take(this.#busy);
  }

  /** How many runs there may be at once from now on; those under way go on. */
  setCapacity(capacity: number): void {
    this.#capacity = capacity;
    this.#tellWaiters();
  }

  /** Takes every slot that is free, `limit` at most; answers how many. */
  takeFree(limit: number): number {
    const taken = Math.min(this.free, limit);
    if (taken > 0) this.#setBusy(this.#busy + taken);
    return taken;
  }

  /** Gives slots back. */
  release(count = 1): void {
    if (count === 0) return;
    this.#setBusy(this.#busy - count);
    this.#tellWaiters();
  }

  /** Resolves when a slot is free, or when the signal aborts. */
  async untilFree(signal: AbortSignal): Promise<void> {
    while (this.free === 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#waiters.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  #tellWaiters(): void {
    if (this.free === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const tell of waiters) tell();
  }

  #setBusy(busy: number): void {
    this.#busy = busy;
    this.#busyPeak.note(busy);
    this.#onChange(busy);
  }
}
