import type { Uuid } from '../../../kernel/ids.ts';
import type { EndedRequest } from '../request.ts';

/** Told of requests whose ends were recorded. It must be cheap, and never throw. */
export type EndListener = (ended: readonly EndedRequest[]) => void;

/**
 * Tells of requests whose ends this process has recorded, after that is durable. It saves time and is relied on for nothing: what
 * another process records is found by asking the ledger.
 */
export class RequestEnds {
  readonly #all: EndListener[] = [];
  readonly #listeners = new Map<Uuid, Set<() => void>>();

  /** Calls `listener` with every end, for as long as the process lives. */
  watch(listener: EndListener): void {
    this.#all.push(listener);
  }

  /** Calls `listener` when the request has ended, until the returned function is called. */
  listen(id: Uuid, listener: () => void): () => void {
    const known = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, known.add(listener));
    return () => {
      known.delete(listener);
      if (known.size === 0 && this.#listeners.get(id) === known) this.#listeners.delete(id);
    };
  }

  /** The ends of these are durable. */
  tell(ended: readonly EndedRequest[]): void {
    if (ended.length === 0) return;
    for (const listener of this.#all) listener(ended);
    for (const { id } of ended) for (const listener of this.#listeners.get(id) ?? []) listener();
  }
}
