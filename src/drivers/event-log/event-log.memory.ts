import type { Clock } from '../../kernel/clock.ts';
import type { AppendOptions, EventLogDriver, LogEntry, LogPage, LogWatcher } from './event-log-driver.ts';
import { LogWatchers } from './log-watchers.ts';

/** All logs together: beyond it those that were not written for longest are forgotten. */
const defaultMaxTotalBytes = 67_108_864;
/** What an entry takes beside its data, roughly. */
const entryBytes = 64;

interface KeptLog {
  entries: LogEntry[];
  /** How many of the first entries are dropped: they are cut off now and then. */
  dropped: number;
  bytes: number;
  last: number;
  isEnded: boolean;
  keptUntilMs: number;
}

export interface MemoryEventLogOptions {
  readonly clock: Pick<Clock, 'now' | 'monotonicMs'>;
  readonly maxTotalBytes?: number;
}

/** Logs in the memory of this process: for a host that is alone. */
export class MemoryEventLogDriver implements EventLogDriver {
  readonly kind = 'memory';
  readonly #clock: MemoryEventLogOptions['clock'];
  readonly #maxTotalBytes: number;
  readonly #watchers = new LogWatchers();
  /** In the order in which they were last written. */
  readonly #logs = new Map<string, KeptLog>();
  #totalBytes = 0;
  /** The highest id of all: a log that begins anew within the same millisecond begins above it. */
  #newest = 0;

  constructor({ clock, maxTotalBytes = defaultMaxTotalBytes }: MemoryEventLogOptions) {
    this.#clock = clock;
    this.#maxTotalBytes = maxTotalBytes;
  }

  append(key: string, data: readonly string[], { limits, isEnd, above = 0 }: AppendOptions): Promise<number> {
    const log = this.#find(key) ?? this.#begin(above);
    if (log.isEnded) return Promise.resolve(log.last);
    const before = log.bytes;
    const added = data.map((text): LogEntry => {
      log.last += 1;
      log.bytes += text.length + entryBytes;
      return { id: log.last, data: text };
    });
    log.entries.push(...added);
    this.#newest = Math.max(this.#newest, log.last);
    drop(log, limits.maxEntries, limits.maxBytes);
    log.isEnded = isEnd === true;
    log.keptUntilMs = this.#clock.monotonicMs() + (log.isEnded ? limits.keptEndedMs : limits.keptMs);
    this.#logs.delete(key);
    this.#logs.set(key, log);
    this.#totalBytes += log.bytes - before;
    this.#forgetOldest();
    this.#watchers.tell(key, added);
    return Promise.resolve(log.last);
  }

  list(key: string, after: number, limit: number): Promise<LogPage> {
    const log = this.#find(key);
    if (log === undefined) return Promise.resolve({ entries: [], hasMore: false });
    const first = log.last - log.entries.length + 1;
    const from = Math.max(log.dropped, after - first + 1);
    const entries = log.entries.slice(from, from + limit);
    return Promise.resolve({ entries, hasMore: from + entries.length < log.entries.length });
  }

  watch(key: string, watcher: LogWatcher): () => void {
    this.#watchers.add(key, watcher);
    watcher(undefined);
    return () => void this.#watchers.delete(key, watcher);
  }

  remove(key: string): Promise<void> {
    this.#forget(key);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#watchers.clear();
    this.#logs.clear();
    return Promise.resolve();
  }

  #begin(above: number): KeptLog {
    const last = Math.max(this.#clock.now().getTime() * 1000, this.#newest, above);
    return { entries: [], dropped: 0, bytes: 0, last, isEnded: false, keptUntilMs: 0 };
  }

  #find(key: string): KeptLog | undefined {
    const log = this.#logs.get(key);
    if (log === undefined || log.keptUntilMs > this.#clock.monotonicMs()) return log;
    this.#forget(key);
    return undefined;
  }

  #forget(key: string): void {
    this.#totalBytes -= this.#logs.get(key)?.bytes ?? 0;
    this.#logs.delete(key);
  }

  #forgetOldest(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, { keptUntilMs }] of this.#logs) {
      if (keptUntilMs > nowMs && (this.#totalBytes <= this.#maxTotalBytes || this.#logs.size === 1)) return;
      this.#forget(key);
    }
  }
}

/** Drops the oldest entries beyond the limits. */
function drop(log: KeptLog, maxEntries: number, maxBytes: number): void {
  const { entries } = log;
  while (
    entries.length - log.dropped > 1 &&
    (entries.length - log.dropped > maxEntries || log.bytes > maxBytes)
  ) {
    log.bytes -= (entries[log.dropped]?.data.length ?? 0) + entryBytes;
    log.dropped += 1;
  }
  if (log.dropped * 2 < entries.length) return;
  log.entries = entries.slice(log.dropped);
  log.dropped = 0;
}
