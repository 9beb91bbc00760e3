import type { PayloadStore } from '../../drivers/payload-store/payload-store.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { PayloadRemovals } from './payload-removals.ts';
import type { EngineMetrics } from '../metrics/engine-metrics.ts';

/*
 * Removes payloads whose rows were pruned. A payload is put before its row is committed, and the same content may be put
 * again at any time; so one goes only when no row names it and nobody has put it for a day. Whoever puts it must commit
 * its row within that day. The ledger is asked first: a row that it does not show yet belongs to a young payload.
 */

export interface PayloadCleanerOptions {
  readonly removals: PayloadRemovals;
  readonly payloads: PayloadStore;
  readonly clock: Clock;
  readonly metrics: EngineMetrics;
  /** How long nobody may have put a payload that goes. Default: a day. */
  readonly untouchedMs?: number;
}

export const defaultUntouchedMs = 24 * 3_600_000;
const sliceSize = 200;

export class PayloadCleaner {
  readonly #options: PayloadCleanerOptions;

  constructor(options: PayloadCleanerOptions) {
    this.#options = options;
  }

  /** One slice. True when there may be more at once. */
  async clean(): Promise<boolean> {
    const { removals, payloads, clock, metrics, untouchedMs = defaultUntouchedMs } = this.#options;
    const putBefore = new Date(clock.now().getTime() - untouchedMs);
    const due = await removals.listDue(sliceSize);
    const removed: string[] = [];
    const young: string[] = [];
    for (const { reference, isNeeded } of due) {
      if (isNeeded) continue;
      const isGone = await payloads.remove(reference, putBefore);
      (isGone ? removed : young).push(reference);
    }
    metrics.increment('payloads_removed_total', {}, removed.length);
    await removals.postpone(young, untouchedMs);
    await removals.forget([
      ...removed,
      ...due.filter(({ isNeeded }) => isNeeded).map(({ reference }) => reference),
    ]);
    return due.length === sliceSize;
  }
}
