import { Peak } from '../telemetry/bounds.ts';

/*
 * The places of a stage in one process: as many runs at once as there are slots. Two kinds of tokens ask for them:
 *
 *   from the queue      wait in line; few at a time, since what waits here is missing elsewhere
 *   from this process   a message was just written whose stage runs here: taken at once or not at all
 *
 * A slot that becomes free goes to the process's own tokens first, since they save the way through the queue; but a
 * queue's token that has waited for `patienceMs` comes before them, so that none of them waits for ever. What is not
 * taken here goes into the queue, where other processes see it.
 */

export interface WorkerSlotsOptions {
  readonly capacity: number;
  readonly nowMs: () => number;
  /** How long a token from the queue lets others go first. */
  readonly patienceMs?: number;
  /** Told whenever the number of busy slots has changed. */
  readonly onChange?: (busy: number) => void;
}

interface Waiter {
  readonly sinceMs: number;
  readonly resolve: (hasSlot: boolean) => void;
}

const defaultPatienceMs = 50;

export class WorkerSlots {
  readonly #nowMs: () => number;
  readonly #patienceMs: number;
  readonly #onChange: ((busy: number) => void) | undefined;
  readonly #waiting: Waiter[] = [];
  readonly #busyPeak = new Peak();
  readonly #waitingPeak = new Peak();
  #capacity: number;
  #busy = 0;
  #isClosed = false;
  #isGranting = false;

  constructor({ capacity, nowMs, patienceMs = defaultPatienceMs, onChange }: WorkerSlotsOptions) {
    this.#capacity = capacity;
    this.#nowMs = nowMs;
    this.#patienceMs = patienceMs;
    this.#onChange = onChange;
  }

  get busy(): number {
    return this.#busy;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** The most slots that were busy at once since this was asked last. */
  takeBusyPeak(): number {
    return this.#busyPeak.take(this.#busy);
  }

  /** The same for tokens of the queue that waited. */
  takeWaitingPeak(): number {
    return this.#waitingPeak.take(this.#waiting.length);
  }

  /** How many runs there may be at once from now on; those under way go on. */
  setCapacity(capacity: number): void {
    this.#capacity = capacity;
    this.#grantSoon();
  }

  /** A slot at once, for a token of this process; false when none is free or others have waited long enough. */
  tryTake(): boolean {
    if (this.#isClosed || this.#busy >= this.#capacity || this.#isSomebodyImpatient()) return false;
    this.#setBusy(this.#busy + 1);
    return true;
  }

  /** A slot as soon as there is one, for a token of the queue; false when the slots were closed meanwhile. */
  take(): Promise<boolean> {
    if (this.#isClosed) return Promise.resolve(false);
    if (this.#waiting.length === 0 && this.#busy < this.#capacity) {
      this.#setBusy(this.#busy + 1);
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      this.#waiting.push({ sinceMs: this.#nowMs(), resolve });
      this.#waitingPeak.note(this.#waiting.length);
    });
  }

  /** Gives a slot back. Until the end of this turn of the event loop the process's own tokens may have it. */
  release(): void {
    this.#setBusy(this.#busy - 1);
    this.#grantSoon();
  }

  /** No slot is given any more; whoever waits is told so. */
  close(): void {
    this.#isClosed = true;
    for (const { resolve } of this.#waiting.splice(0)) resolve(false);
  }

  #isSomebodyImpatient(): boolean {
    const [first] = this.#waiting;
    return first !== undefined && this.#nowMs() - first.sinceMs >= this.#patienceMs;
  }

  #grantSoon(): void {
    if (this.#waiting.length === 0 || this.#isGranting) return;
    this.#isGranting = true;
    setImmediate(() => {
      this.#isGranting = false;
      while (this.#busy < this.#capacity) {
        const next = this.#waiting.shift();
        if (next === undefined) return;
        this.#setBusy(this.#busy + 1);
        next.resolve(true);
      }
    });
  }

  #setBusy(busy: number): void {
    this.#busy = busy;
    this.#busyPeak.note(busy);
    this.#onChange?.(busy);
  }
}
