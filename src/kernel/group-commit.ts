import type { Clock } from './clock.ts';
import { AppError } from './app-error.ts';
import { invariant } from './invariant.ts';
import { writeSplittingRefused } from './split-refused.ts';

/*
 * Group commit: what many callers want at the same time becomes one statement in one transaction.
 * While a flush is under way, new items collect; the next flush takes all of them. Under no load an item
 * waits for nothing but the end of the current turn of the event loop; under load the groups grow by themselves.
 * A failed flush fails every item of its group alike, since none of it was committed. The one exception is a flush
 * that the store refuses for what an item holds (MILLRACE_DATA_REFUSED): the group is halved until the refused item is
 * alone and fails alone (see writeSplittingRefused). A flush is therefore one statement, or one transaction, and whatever
 * can fail for what one item holds (JSON, arithmetic) was done before it was submitted.
 */

export interface GroupCommitOptions<Item, Result> {
  /** The operation's name, for metrics and errors. */
  readonly name: string;
  /** Writes the group in one transaction; one result per item, in order. */
  readonly flush: (items: readonly Item[]) => Promise<readonly Result[]>;
  readonly clock: Clock;
  /** The most items in one group. */
  readonly maxGroup?: number;
  /** How many groups may be under way at once. */
  readonly maxFlushes?: number;
  /** How many items may wait; one more is refused with MILLRACE_LEDGER_BUSY. */
  readonly maxWaiting?: number;
  readonly onFlush?: (size: number, durationMs: number) => void;
}

interface Entry<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

const conflictRetries = 4;

export class GroupCommit<Item, Result> {
  readonly #options: Required<Omit<GroupCommitOptions<Item, Result>, 'onFlush'>> &
    Pick<GroupCommitOptions<Item, Result>, 'onFlush'>;
  #waiting: Entry<Item, Result>[] = [];
  #peak = 0;
  #flushing = 0;
  #scheduled = false;

  constructor(options: GroupCommitOptions<Item, Result>) {
    this.#options = { maxGroup: 500, maxFlushes: 1, maxWaiting: 50_000, ...options };
  }

  /** The most items that may wait. */
  get limit(): number {
    return this.#options.maxWaiting;
  }

  /** The most items that waited at once since this was asked last. */
  takePeak(): number {
    const peak = this.#peak;
    this.#peak = this.#waiting.length;
    return peak;
  }

  /** Resolves when the item's group is committed. */
  submit(item: Item): Promise<Result> {
    if (this.#waiting.length >= this.#options.maxWaiting) {
      return Promise.reject(
        new AppError(
          'MILLRACE_LEDGER_BUSY',
          `${this.#options.maxWaiting} ${this.#options.name} operations wait for the ledger`,
        ),
      );
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#peak = Math.max(this.#peak, this.#waiting.length);
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0 || this.#flushing >= this.#options.maxFlushes) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#flushNext();
    });
  }

  async #flushNext(): Promise<void> {
    const { maxGroup, clock, onFlush } = this.#options;
    const group = this.#waiting.length <= maxGroup ? this.#waiting : this.#waiting.slice(0, maxGroup);
    this.#waiting = group === this.#waiting ? [] : this.#waiting.slice(maxGroup);
    if (group.length === 0) return;
    this.#flushing += 1;
    this.#schedule();
    const startedMs = clock.monotonicMs();
    try {
      const isWhole = await this.#settle(group);
      if (isWhole) onFlush?.(group.length, clock.monotonicMs() - startedMs);
    } finally {
      this.#flushing -= 1;
      this.#schedule();
    }
  }

  /** Writes the entries and answers each; true when all were written by one flush. */
  #settle(entries: readonly Entry<Item, Result>[]): Promise<boolean> {
    return writeSplittingRefused(
      entries,
      (group) => this.#write(group.map(({ item }) => item)),
      ({ resolve, reject }, outcome) => {
        if (outcome.status === 'fulfilled') resolve(outcome.value);
        else reject(outcome.reason);
      },
    );
  }

  /** A deadlock's victim was rolled back whole, so the same group may simply be written again. */
  async #write(items: readonly Item[]): Promise<readonly Result[]> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const results = await this.#options.flush(items);
        invariant(
          results.length === items.length,
          `${this.#options.name} answers each of its ${items.length} items`,
        );
        return results;
      } catch (error) {
        const isConflict = error instanceof AppError && error.code === 'MILLRACE_DATABASE_CONFLICT';
        if (!isConflict || attempt > conflictRetries) throw error;
      }
    }
  }
}
