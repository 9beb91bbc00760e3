import { cut, type Fault, fieldOf } from '../../../../kernel/fault.ts';

/* What is wrong with an input, line by line. All of it is counted, and the first of it is listed. */

/** The most faults that are listed. */
const maxListedFaults = 1000;

/** Of what a fault names and says: both may repeat what was sent. */
const maxCharacters = 300;

/** Whether a fault concerns one item, which can be left out, or makes the whole input useless. */
export type FaultReach = 'item' | 'input';

/** What an input consists of: lines of text, or rows of a table. */
export type PlaceName = 'line' | 'row';

export class InputFaults {
  readonly #listed: { readonly place: number | undefined; readonly fault: Fault }[] = [];
  readonly #placeName: PlaceName;
  #count = 0;
  #hasInputFault = false;

  constructor(placeName: PlaceName) {
    this.#placeName = placeName;
  }

  /** Notes what is wrong at a line or row, or with the input as a whole. */
  add(place: number | undefined, faults: readonly Fault[], reach: FaultReach): void {
    this.#count += faults.length;
    if (reach === 'input') this.#hasInputFault = true;
    for (const { field, problem } of faults) {
      if (this.#listed.length >= maxListedFaults) return;
      const at = place === undefined ? '' : `${this.#placeName} ${place}`;
      const named = [at, fieldOf([field])]
        .filter((part) => part !== '')
        .join(', ')
        .toWellFormed();
      const fault = { field: named === '' ? 'input' : named, problem: shortened(problem) };
      this.#listed.push({ place, fault });
    }
  }

  get count(): number {
    return this.#count;
  }

  /** Whether the input is of no use, whatever may be left out of it. */
  get hasInputFault(): boolean {
    return this.#hasInputFault;
  }

  /** In the order of the input, what concerns all of it last; the ones that were found first where there are too many. */
  get listed(): readonly Fault[] {
    const last = Number.POSITIVE_INFINITY;
    return this.#listed
      .toSorted((one, other) => (one.place ?? last) - (other.place ?? last) || 0)
      .map(({ fault }) => fault);
  }
}

/** The input ends here: what follows cannot be read. */
export class UnreadableInput extends Error {
  override readonly name = 'UnreadableInput';
  readonly place: number | undefined;
  readonly fault: Fault;

  constructor(fault: Fault, place?: number, cause?: unknown) {
    super(`${fault.field}: ${fault.problem}`, cause === undefined ? undefined : { cause });
    this.fault = fault;
    this.place = place;
  }
}

function shortened(problem: string): string {
  return cut(problem, maxCharacters).toWellFormed();
}
