/*
 * Short logs that are written in one process and followed in others while they grow: one for each key, each with integer ids
 * that only grow, one by one. A log is a view of what the ledger holds: it is bounded, it is forgotten after a time, and it may
 * be lost, with its store or alone. An id that does not follow from the one before it says that entries between them are gone.
 * A log that begins, also again after it was lost, begins at microseconds of the store's clock, which lie above every id that
 * was given before.
 */

/** One entry of a log. */
export interface LogEntry {
  /** A safe integer above that of the entry before it. */
  readonly id: number;
  readonly data: string;
}

/** Some entries of a log, oldest first. */
export interface LogPage {
  readonly entries: readonly LogEntry[];
  /** Whether there are more after these. */
  readonly hasMore: boolean;
}

/** What one log may take. */
export interface LogLimits {
  /** The most entries; beyond them the oldest are dropped. */
  readonly maxEntries: number;
  /** The most bytes of their data; beyond them the oldest are dropped. The newest entry is always kept. */
  readonly maxBytes: number;
  /** How long a log is kept after its latest entry. */
  readonly keptMs: number;
  /** The same after its last entry. */
  readonly keptEndedMs: number;
}

/** How entries are appended. */
export interface AppendOptions {
  readonly limits: LogLimits;
  /** Nothing comes after these: later entries are left out. */
  readonly isEnd?: boolean;
  /** Ids above this one, should the log begin anew. */
  readonly above?: number | undefined;
}

/**
 * Told of what is appended to a log after it began to watch: the entries, or nothing where some may have been missed, so that
 * the log has to be read. Must not throw.
 */
export type LogWatcher = (entries: readonly LogEntry[] | undefined) => void;

/** A way to keep logs. */
export interface EventLogDriver {
  readonly kind: 'redis' | 'memory';
  /** Appends entries in order. Answers the id of the newest entry of the log. Throws MILLRACE_EVENT_LOG_UNAVAILABLE. */
  append(key: string, data: readonly string[], options: AppendOptions): Promise<number>;
  /** Entries with ids above `after`, oldest first. Throws MILLRACE_EVENT_LOG_UNAVAILABLE. */
  list(key: string, after: number, limit: number): Promise<LogPage>;
  /** Watches a log until the returned function is called. The watcher is told to read once watching has really begun. */
  watch(key: string, watcher: LogWatcher): () => void;
  /** Forgets a log. Throws MILLRACE_EVENT_LOG_UNAVAILABLE. */
  remove(key: string): Promise<void>;
  /** Ends watching, and the connections. */
  close(): Promise<void>;
}
