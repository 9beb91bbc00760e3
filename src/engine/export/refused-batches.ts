import type { Uuid } from '../../kernel/ids.ts';

const firstWaitMs = 1000;
const longestWaitMs = 60_000;

/**
 * When batches that the column store refuses are tried again: after a second, then after twice as long each time, up to a minute. What
 * this process does not know may be tried at once. Holds what is open only.
 */
export class RefusedBatches {
  readonly #known = new Map<Uuid, { readonly waitMs: number; readonly dueMs: number }>();

  /** Those of the open batches that may be tried now; what is open no more is forgotten. */
  due<Open extends { readonly id: Uuid }>(open: readonly Open[], nowMs: number): readonly Open[] {
    const ids = new Set(open.map(({ id }) => id));
    for (const id of this.#known.keys()) if (!ids.has(id)) this.#known.delete(id);
    return open.filter(({ id }) => (this.#known.get(id)?.dueMs ?? nowMs) <= nowMs);
  }

  /** It was refused just now. Answers how long it waits. */
  note(id: Uuid, nowMs: number): number {
    const before = this.#known.get(id)?.waitMs;
    const waitMs = before === undefined ? firstWaitMs : Math.min(before * 2, longestWaitMs);
    this.#known.set(id, { waitMs, dueMs: nowMs + waitMs });
    return waitMs;
  }
}
