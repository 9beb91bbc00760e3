import type { Uuid } from '../../kernel/ids.ts';

/** A message that came to its end in this process, and the tree that it is in. */
interface EndedMessage {
  readonly id: Uuid;
  readonly rootId: Uuid;
}

/**
 * Tells those who wait for a message in this process that something of its tree has ended here. It saves them time and is
 * relied on for nothing: what ends in another process they find by asking the ledger.
 */
export class EndedMessages {
  readonly #listeners = new Map<Uuid, Set<() => void>>();
  readonly #watchers: ((rootId: Uuid) => void)[] = [];

  /** Calls `watcher` whenever a message of any tree ends here, for as long as the process lives. It must be cheap, and never throw. */
  watch(watcher: (rootId: Uuid) => void): void {
    this.#watchers.push(watcher);
  }

  /** Calls `listener` whenever a message of the tree ends here, until the returned function is called. */
  listen(rootId: Uuid, listener: () => void): () => void {
    const known = this.#listeners.get(rootId) ?? new Set();
    this.#listeners.set(rootId, known.add(listener));
    return () => {
      known.delete(listener);
      if (known.size === 0 && this.#listeners.get(rootId) === known) this.#listeners.delete(rootId);
    };
  }

  /** A message has ended. */
  tell({ rootId }: EndedMessage): void {
    for (const watcher of this.#watchers) watcher(rootId);
    for (const listener of this.#listeners.get(rootId) ?? []) listener();
  }
}
