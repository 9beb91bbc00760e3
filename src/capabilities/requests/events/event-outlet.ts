import type { Clock, Timer } from '../../../kernel/clock.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import type { RequestEventLog } from './event-log.ts';
import { isFinal, type RequestEvent } from './request-event.ts';

/*
 * The way of one request's events into its log. Nobody waits for it: what cannot be written is tried again, and beyond a bound the oldest are
 * dropped, which the log then says.
 *
 *   idle ─► collecting (some milliseconds; text and the end go at once) ─► writing ─► idle
 *              └──────────────── failed: again after a pause ◄──────────────┘
 */

/** What the outlets of a process share. */
export interface OutletSurroundings {
  readonly log: Pick<RequestEventLog, 'append'>;
  readonly clock: Clock;
  /** Tells of bytes that wait, and of events that were dropped. Answers whether there is room. */
  readonly takeRoom: (bytes: number) => boolean;
  readonly giveRoom: (bytes: number) => void;
  readonly onDropped: (count: number) => void;
  /** Called when nothing waits any more. */
  readonly onIdle: (outlet: EventOutlet) => void;
}

const collectMs = 20;
const afterFailureMs = 500;
const maxWaiting = 2000;
const maxWrittenAtOnce = 200;
/** A log without text says nothing that the ledger does not say. */
const keptWithoutTextMs = 60_000;

interface Waiting {
  readonly event: RequestEvent;
  readonly bytes: number;
}

export class EventOutlet {
  readonly #requestId: Uuid;
  readonly #surroundings: OutletSurroundings;
  #waiting: Waiting[] = [];
  #hasLost = false;
  #hasText = false;
  #newest = 0;
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
  /** How many may still push. */
  users = 0;

  constructor(requestId: Uuid, surroundings: OutletSurroundings) {
    this.#requestId = requestId;
    this.#surroundings = surroundings;
  }

  /** Whether nothing waits. */
  get isIdle(): boolean {
    return this.#waiting.length === 0 && this.#writing === undefined;
  }

  push(event: RequestEvent): void {
    const isText = event.kind === 'text-delta' || event.kind === 'reasoning-delta';
    const bytes = isText ? event.text.length + 256 : 256;
    if (this.#waiting.length >= maxWaiting) this.#drop(1);
    while (!this.#surroundings.takeRoom(bytes)) {
      if (this.#waiting.length === 0) {
        this.#lose(1);
        return;
      }
      this.#drop(1);
    }
    if (isText) this.#hasText = true;
    this.#waiting.push({ event, bytes });
    if (this.#writing !== undefined) return;
    if (isText || isFinal(event)) this.#write();
    else this.#timer ??= this.#surroundings.clock.startTimer(collectMs, () => this.#write());
  }

  /** Resolves when what waits is written, or was tried once more. */
  async flush(): Promise<void> {
    if (this.#writing === undefined && this.#waiting.length > 0) this.#write();
    await this.#writing;
  }

  /** What still waits is dropped. */
  close(): void {
    this.#timer?.close();
    this.#timer = undefined;
    if (this.#waiting.length > 0) this.#drop(this.#waiting.length);
  }

  #write(): void {
    this.#timer?.close();
    this.#timer = undefined;
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
      if (this.isIdle) this.#surroundings.onIdle(this);
    });
  }

  async #writeAll(): Promise<void> {
    const { log, giveRoom, clock } = this.#surroundings;
    // What is pushed in the same turn goes together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, maxWrittenAtOnce);
      const events: RequestEvent[] = batch.map(({ event }) => event);
      if (this.#hasLost) events.unshift({ kind: 'events-lost' });
      this.#hasLost = false;
      try {
        this.#newest = await log.append(this.#requestId, events, {
          above: this.#newest,
          ...(this.#hasText ? {} : { keptEndedMs: keptWithoutTextMs }),
        });
      } catch {
        // It may have been written all the same: readers drop text that comes twice.
        if (events[0]?.kind === 'events-lost') this.#hasLost = true;
        this.#timer ??= clock.startTimer(afterFailureMs, () => this.#write());
        return;
      }
      // Some of the batch may have been dropped meanwhile.
      const written = new Set(batch);
      for (const one of this.#waiting) if (written.has(one)) giveRoom(one.bytes);
      this.#waiting = this.#waiting.filter((one) => !written.has(one));
    }
  }

  #drop(count: number): void {
    for (const { bytes } of this.#waiting.splice(0, count)) this.#surroundings.giveRoom(bytes);
    this.#lose(count);
  }

  #lose(count: number): void {
    this.#hasLost = true;
    this.#surroundings.onDropped(count);
  }
}
