import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';

/** A column store whose inserts begin, and end when they are let go; nothing may look what is there. */
export function waitingColumnStore(): {
  readonly store: ColumnStore;
  readonly began: Promise<void>;
  readonly letGo: () => void;
} {
  const [began, goesOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const store: ColumnStore = {
    kind: 'chdb',
    database: 'test',
    query: () => Promise.reject(new Error('nothing was tried before')),
    command: () => Promise.resolve(),
    insert: async () => {
      began.resolve();
      await goesOn.promise;
    },
    ping: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  return { store, began: began.promise, letGo: goesOn.resolve };
}
