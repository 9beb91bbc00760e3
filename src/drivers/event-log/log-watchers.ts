import type { LogEntry, LogWatcher } from './event-log-driver.ts';

/** Who watches which log in this process. */
export class LogWatchers {
  readonly #watchers = new Map<string, Set<LogWatcher>>();

  /** The logs that somebody watches. */
  get keys(): readonly string[] {
    return [...this.#watchers.keys()];
  }

  has(key: string): boolean {
    return this.#watchers.has(key);
  }

  /** True when it is the first of the log. */
  add(key: string, watcher: LogWatcher): boolean {
    const known = this.#watchers.get(key);
    if (known !== undefined) {
      known.add(watcher);
      return false;
    }
    this.#watchers.set(key, new Set([watcher]));
    return true;
  }

  /** True when it was the last of the log. */
  delete(key: string, watcher: LogWatcher): boolean {
    const known = this.#watchers.get(key);
    if (known?.delete(watcher) !== true || known.size > 0) return false;
    this.#watchers.delete(key);
    return true;
  }

  tell(key: string, entries: readonly LogEntry[] | undefined): void {
    const known = this.#watchers.get(key);
    if (known === undefined) return;
    for (const watcher of known) watcher(entries);
  }

  clear(): void {
    this.#watchers.clear();
  }
}
