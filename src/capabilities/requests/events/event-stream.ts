import type { Clock } from '../../../kernel/clock.ts';
import type { Viewer } from '../../../http/operator.ts';
import type { EndWatch } from './end-watch.ts';
import type { TakeRoom } from '../take-room.ts';
import { EventFold, type FoldedEvent } from './event-fold.ts';
import type { RequestEventLog } from './event-log.ts';
import { isFinal } from './request-event.ts';

/*
 * What a client is told of one request, in order: that it was accepted, what its log tells, and how it ended. The first and the last come from the
 * ledger: a log that is lost, or was never written, costs nothing but what it said in between. A final event in the log only wakes whoever reads.
 *
 *   accepted (1) ─► events of the log ─► final event
 *                       └─ the ledger says that it has ended ─► what the log still tells, for a moment ─┘
 */

/** A request as the ledger shows it, as far as streams look at it. */
export interface ShownRequest {
  readonly id: string;
  readonly state: string;
  readonly createdAt: string;
  readonly endedAt?: string | undefined;
  readonly cost: { readonly usd: string };
  readonly onDisconnect: 'continue' | 'cancel';
  readonly disconnectGraceSeconds: number;
  /** Of its final event, unless it is read elsewhere. */
  readonly result?: unknown;
  readonly resultAt?: string | undefined;
  readonly error?: { readonly code: string; readonly message: string } | undefined;
}

/** Shows a request without its result. Throws MILLRACE_REQUEST_NOT_FOUND. */
export type ShowRequest = (id: string, viewer: Viewer) => Promise<ShownRequest>;

/** Shows a request for its final event: with its result only where that is small and there is room for it. Throws MILLRACE_REQUEST_NOT_FOUND. */
export type ShowEnd = (id: string, viewer: Viewer, takeRoom: TakeRoom) => Promise<ShownRequest>;

/** What a client is told. */
export type StreamEvent =
  | Exclude<FoldedEvent, { kind: 'completed' | 'failed' | 'cancelled' }>
  | { readonly kind: 'accepted'; readonly request: ShownRequest }
  | { readonly kind: 'completed' | 'failed' | 'cancelled'; readonly request: ShownRequest };

export interface StreamedEvent {
  readonly id: number;
  readonly event: StreamEvent;
}

export interface EventStreamsOptions {
  readonly log: RequestEventLog;
  readonly ends: EndWatch;
  readonly showEnd: ShowEnd;
  readonly clock: Clock;
}

/** The event that it was accepted. */
const acceptedId = 1;
/** How much later than the ledger's clock any clock that gives ids may be. */
const finalLeadUs = 3_600_000_000;
/** How long the rest of a log is waited for when the ledger knows the end. */
const restMs = 1000;
/** How long after the end of a request the last of its events are in its log, if ever. */
const writtenAfterMs = 5000;

/** The id of the final event: above all ids of its log, and the same whatever became of that. */
export function finalIdOf(endedAt: Date): number {
  return endedAt.getTime() * 1000 + finalLeadUs;
}

export class EventStreams {
  readonly #options: EventStreamsOptions;

  constructor(options: EventStreamsOptions) {
    this.#options = options;
  }

  /** Everything that is told of the request after an id, from the first event for 0. Ends after the final event, or when the signal aborts. */
  async *open(
    request: ShownRequest,
    {
      after,
      viewer,
      signal,
      takeRoom,
    }: {
      readonly after: number;
      readonly viewer: Viewer;
      readonly signal: AbortSignal;
      /** For the result, as long as the stream is open. */
      readonly takeRoom: TakeRoom;
    },
  ): AsyncGenerator<StreamedEvent, void> {
    if (after < acceptedId) yield { id: acceptedId, event: { kind: 'accepted', request } };
    const fold = new EventFold(request.id);
    let isFirst = true;
    for await (const logged of this.#untilEnd(request, signal)) {
      if (isFirst && after > acceptedId && logged.id > after + 1)
        yield { id: logged.id - 1, event: { kind: 'events-lost' } };
      isFirst = false;
      for (const { id, event } of fold.take(logged)) {
        if (!isFinal(event) && id > after) yield { id, event };
      }
    }
    if (signal.aborted) return;
    const final = finalEvent(await this.#options.showEnd(request.id, viewer, takeRoom));
    if (final !== undefined && final.id > after) yield final;
  }

  /** The events of the log, until the ledger says that the request has ended and the log says no more. */
  async *#untilEnd(request: ShownRequest, signal: AbortSignal): ReturnType<RequestEventLog['read']> {
    const { log, ends, clock } = this.#options;
    const reading = new AbortController();
    const stop = (): void => reading.abort();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const { endedAt } = request;
    const endedMs = endedAt === undefined ? undefined : clock.now().getTime() - new Date(endedAt).getTime();
    const ended = endedMs === undefined ? ends.ended(request.id, reading.signal) : Promise.resolve(true);
    // What the log still holds is read; one that has lost its end is not waited for.
    void ended.then((hasEnded) => {
      if (hasEnded) clock.startTimer(restMs, stop).unref();
    });
    try {
      const isOver = endedMs !== undefined && endedMs > writtenAfterMs;
      for await (const logged of log.read(request.id, { after: 0, signal: reading.signal, isOver })) {
        yield logged;
        if (isFinal(logged.event)) break;
      }
      await ended;
    } finally {
      stop();
      signal.removeEventListener('abort', stop);
    }
  }
}

function finalEvent(request: ShownRequest): StreamedEvent | undefined {
  const { state, endedAt } = request;
  if (endedAt === undefined) return undefined;
  if (state !== 'completed' && state !== 'failed' && state !== 'cancelled') return undefined;
  return { id: finalIdOf(new Date(endedAt)), event: { kind: state, request } };
}
