import type { EventLogDriver, LogEntry, LogLimits } from '../../../drivers/event-log/event-log-driver.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import { eventOfEntry, isFinal, type LoggedEvent, type RequestEvent } from './request-event.ts';

/** How entries are appended to the log of a request. */
export interface AppendEvents {
  /** Ids above this one, should the log begin anew. */
  readonly above?: number | undefined;
  /** How long the log is kept after its end, where that is not as long as usual. */
  readonly keptEndedMs?: number;
}

/** Which events are read. */
export interface ReadEvents {
  /** Those with ids above it. */
  readonly after: number;
  /** Ends the reading. */
  readonly signal: AbortSignal;
  /** Nothing more comes: the reading ends with what there is. Default false. */
  readonly isOver?: boolean;
}

export interface RequestEventLogOptions {
  readonly driver: EventLogDriver;
  readonly clock: Clock;
  readonly limits: LogLimits;
}

const pageSize = 256;
/** What was told of and not read yet; with more the log is read instead. */
const maxTold = 256;
const afterFailureMs = 1000;

/** The logs of requests: written by whoever works on them, followed by whoever shows them. */
export class RequestEventLog {
  readonly #options: RequestEventLogOptions;

  constructor(options: RequestEventLogOptions) {
    this.#options = options;
  }

  /** Appends events, the final one as the last. Answers the newest id. Throws MILLRACE_EVENT_LOG_UNAVAILABLE. */
  async append(
    requestId: Uuid,
    events: readonly RequestEvent[],
    { above, keptEndedMs }: AppendEvents = {},
  ): Promise<number> {
    const { driver, limits } = this.#options;
    const last = events.at(-1);
    return await driver.append(
      requestId,
      events.map((event) => JSON.stringify(event)),
      {
        limits: keptEndedMs === undefined ? limits : { ...limits, keptEndedMs },
        isEnd: last !== undefined && isFinal(last),
        above,
      },
    );
  }

  /**
   * The events after an id, and those that come, until the final one or the signal aborts. Where some between two are gone, an
   * `events-lost` stands in their place, under the id before the next. While the log cannot be read it waits and tries again.
   */
  async *read(
    requestId: Uuid,
    { after, signal, isOver = false }: ReadEvents,
  ): AsyncGenerator<LoggedEvent, void> {
    const { driver } = this.#options;
    const told = new ToldEntries();
    const onAbort = (): void => told.wake();
    signal.addEventListener('abort', onAbort, { once: true });
    const stop = driver.watch(requestId, (entries) => told.take(entries));
    let last = after;
    try {
      while (!signal.aborted) {
        const entries = told.next(last) ?? (await this.#list(requestId, last, told));
        if (entries.length === 0) {
          if (isOver && !told.mustRead) return;
          await told.more();
        }
        for (const { id, data } of entries) {
          if (id <= last) continue;
          if (last > 0 && id > last + 1) yield { id: id - 1, event: { kind: 'events-lost' } };
          last = id;
          const event = eventOfEntry(data);
          if (event === undefined) continue;
          yield { id, event };
          if (isFinal(event)) return;
        }
      }
    } finally {
      stop();
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Forgets the log. Throws MILLRACE_EVENT_LOG_UNAVAILABLE. */
  async remove(requestId: Uuid): Promise<void> {
    await this.#options.driver.remove(requestId);
  }

  async #list(requestId: Uuid, after: number, told: ToldEntries): Promise<readonly LogEntry[]> {
    const { driver, clock } = this.#options;
    if (!told.mustRead) return [];
    told.mustRead = false;
    try {
      const { entries, hasMore } = await driver.list(requestId, after, pageSize);
      if (hasMore) told.mustRead = true;
      return entries;
    } catch {
      // The store is away. It tells all who watch when it is back; this is in case it does not.
      clock.startTimer(afterFailureMs, () => told.take(undefined)).unref();
      return [];
    }
  }
}

/** What the driver told of and was not read yet. */
class ToldEntries {
  /** The log has to be read: something may be in it that was not told of. */
  mustRead = true;
  #entries: LogEntry[] = [];
  #wake: (() => void) | undefined;
  #isWoken = false;

  take(entries: readonly LogEntry[] | undefined): void {
    if (entries === undefined || this.#entries.length + entries.length > maxTold) {
      this.#entries = [];
      this.mustRead = true;
    } else if (!this.mustRead) this.#entries.push(...entries);
    this.wake();
  }

  /** What comes right after the id, as far as it was told of. Undefined where the log must be read. */
  next(last: number): readonly LogEntry[] | undefined {
    if (this.mustRead) return undefined;
    const entries = this.#entries;
    this.#entries = [];
    const from = entries.findIndex(({ id }) => id > last);
    if (from < 0) return [];
    if (entries[from]?.id === last + 1) return entries.slice(from);
    this.mustRead = true;
    return undefined;
  }

  wake(): void {
    this.#isWoken = true;
    this.#wake?.();
  }

  async more(): Promise<void> {
    if (!this.#isWoken)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    this.#wake = undefined;
    this.#isWoken = false;
  }
}
