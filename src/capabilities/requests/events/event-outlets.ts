import type { Clock } from '../../../kernel/clock.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import { Peak, type BoundRegistry } from '../../../telemetry/bounds.ts';
import type { RequestEventLog } from './event-log.ts';
import { EventOutlet } from './event-outlet.ts';
import type { RequestEvent } from './request-event.ts';

/** Bytes of events of all requests that wait to be written. */
const maxWaitingBytes = 33_554_432;

export interface EventOutletsOptions {
  readonly log: Pick<RequestEventLog, 'append'>;
  readonly clock: Clock;
  readonly onDropped: (count: number) => void;
  readonly bounds?: BoundRegistry<'event_writes'>;
}

/** The ways of this process's events into their logs, one for each request that something is told of. */
export class EventOutlets {
  readonly #options: EventOutletsOptions;
  readonly #outlets = new Map<Uuid, EventOutlet>();
  readonly #peak = new Peak();
  #waitingBytes = 0;

  constructor(options: EventOutletsOptions) {
    this.#options = options;
    options.bounds?.register('event_writes', {
      limit: maxWaitingBytes,
      takePeak: () => this.#peak.take(this.#waitingBytes),
    });
  }

  /** How many requests something is told of, or may be. */
  get size(): number {
    return this.#outlets.size;
  }

  /** The outlet of a request for as long as `release` is not called. */
  hold(requestId: Uuid): { readonly outlet: EventOutlet; readonly release: () => void } {
    const outlet = this.#open(requestId);
    outlet.users += 1;
    return {
      outlet,
      release: () => {
        outlet.users -= 1;
        this.#forget(requestId, outlet);
      },
    };
  }

  /** Writes one event after those that wait. */
  push(requestId: Uuid, event: RequestEvent): void {
    const { outlet, release } = this.hold(requestId);
    outlet.push(event);
    release();
  }

  /** Writes what waits, as far as that can be done now. */
  async drain(): Promise<void> {
    await Promise.all([...this.#outlets.values()].map((outlet) => outlet.flush()));
  }

  /** Writes what waits, as far as that can be done now, and drops the rest. */
  async close(): Promise<void> {
    await this.drain();
    for (const outlet of this.#outlets.values()) outlet.close();
    this.#outlets.clear();
  }

  #open(requestId: Uuid): EventOutlet {
    const known = this.#outlets.get(requestId);
    if (known !== undefined) return known;
    const { log, clock, onDropped } = this.#options;
    const outlet = new EventOutlet(requestId, {
      log,
      clock,
      onDropped,
      onIdle: (idle) => this.#forget(requestId, idle),
      takeRoom: (bytes) => {
        if (this.#waitingBytes + bytes > maxWaitingBytes) return false;
        this.#waitingBytes += bytes;
        this.#peak.note(this.#waitingBytes);
        return true;
      },
      giveRoom: (bytes) => {
        this.#waitingBytes -= bytes;
      },
    });
    this.#outlets.set(requestId, outlet);
    return outlet;
  }

  #forget(requestId: Uuid, outlet: EventOutlet): void {
    if (outlet.users === 0 && outlet.isIdle) this.#outlets.delete(requestId);
  }
}
