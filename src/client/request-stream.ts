import { type ApiConnection, callError, type OpenAnswer, timedOut } from './api-connection.ts';
import { type ClientClock, pause } from './client-clock.ts';
import { MillraceClientError } from './client-error.ts';
import { eventKinds, type RequestEvent, type RequestEventBody } from './request-event.ts';
import { pauseBeforeRetry } from './retry-policy.ts';
import { type SseFrame, SseParser } from './sse-parser.ts';

/*
 * The events of a request, over as many connections as it takes:
 *
 *   connect(after the last id) ─► events ─► final event ─► done
 *      ▲                            └─ broken, ended, or silent for too long ─┐
 *      └─────── pause, longer after each connection that brought nothing ◄────┘
 *
 * Ids only rise, so that an event which comes twice is known.
 */

export interface RequestStreamOptions {
  readonly connection: ApiConnection;
  readonly clock: ClientClock;
  readonly random: () => number;
  /** Connections in a row that bring nothing, before it gives up. */
  readonly maxReconnects: number;
  /** How long a connection may be silent. The server sends a heartbeat every few seconds. */
  readonly livenessMs: number;
}

export interface FollowRequest {
  /** The path of its events. */
  readonly path: string;
  /** Only events after this id. */
  readonly after: number;
  readonly signal?: AbortSignal | undefined;
}

/** A connection that held for this long was a good one, though nothing happened. */
const heldMs = 5000;
const maxRetryAfterMs = 60_000;

/** Follows the request until its final event. Throws MillraceClientError, or the signal's reason. */
export async function* followRequest(
  options: RequestStreamOptions,
  { path, after, signal }: FollowRequest,
): AsyncGenerator<RequestEvent, void> {
  const { clock, random, maxReconnects } = options;
  const limits = { maxRetries: maxReconnects, maxRetryAfterMs };
  let last = after;
  let failures = 0;
  for (;;) {
    const openedMs = clock.nowMs();
    let error: MillraceClientError;
    try {
      const answer = await connect(options, { path, after: last, signal });
      // After the final event nothing comes.
      if (answer === undefined) return;
      for await (const event of eventsOf(answer, last, { options, signal })) {
        last = event.id;
        failures = 0;
        yield event;
        if (isFinal(event)) return;
      }
      error = new MillraceClientError('CLIENT_NETWORK', 'The stream ended before the request.', {
        retryable: true,
      });
    } catch (thrown) {
      if (!(thrown instanceof MillraceClientError)) throw thrown;
      error = thrown;
    }
    const hasHeld = clock.nowMs() - openedMs >= heldMs;
    if (hasHeld && error.status === undefined) failures = 0;
    const pauseMs = pauseBeforeRetry(error, { retries: failures, limits, random: random() });
    if (pauseMs === undefined) throw error;
    failures += 1;
    await pause(clock, pauseMs, signal);
  }
}

async function connect(
  { connection }: RequestStreamOptions,
  { path, after, signal }: FollowRequest,
): Promise<OpenAnswer | undefined> {
  const answer = await connection.open({
    method: 'GET',
    path,
    query: new URLSearchParams({ after: String(after) }),
    headers: { accept: 'text/event-stream' },
    signal,
  });
  if (answer.response.status !== 204) return answer;
  answer.close();
  return undefined;
}

interface Reading {
  readonly options: RequestStreamOptions;
  readonly signal: AbortSignal | undefined;
}

/** The events of one connection, those that are new. */
async function* eventsOf(
  answer: OpenAnswer,
  after: number,
  reading: Reading,
): AsyncGenerator<RequestEvent, void> {
  let last = after;
  let isMarked = false;
  try {
    for await (const frame of framesOf(answer, reading)) {
      const event = eventOf(frame);
      if (event === undefined) continue;
      // That events are lost may stand under the id of the event before.
      const isMark: boolean = event.kind === 'events-lost' && event.id === last && last > after && !isMarked;
      if (event.id <= last && !isMark) continue;
      isMarked = isMark;
      last = event.id;
      yield event;
    }
  } finally {
    answer.close();
    answer.abort(new DOMException('The stream is not read any more.', 'AbortError'));
  }
}

async function* framesOf(
  { response, abort }: OpenAnswer,
  { options: { clock, livenessMs }, signal }: Reading,
): AsyncGenerator<SseFrame, void> {
  const { body, headers, status } = response;
  if (body === null || headers.get('content-type')?.startsWith('text/event-stream') !== true)
    throw new MillraceClientError('CLIENT_ANSWER_INVALID', 'The answer is no event stream.', { status });
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new SseParser();
  for (;;) {
    let isSilent = false;
    const stop = clock.startTimer(livenessMs, () => {
      isSilent = true;
      abort(timedOut());
    });
    let piece: { readonly done: boolean; readonly value?: Uint8Array | undefined };
    try {
      piece = await reader.read();
    } catch (error) {
      throw isSilent ? timedOut() : callError(error, signal);
    } finally {
      stop();
    }
    if (piece.done) return;
    yield* framesIn(parser, decoder.decode(piece.value, { stream: true }));
  }
}

function framesIn(parser: SseParser, piece: string): readonly SseFrame[] {
  try {
    return parser.push(piece);
  } catch (cause) {
    throw new MillraceClientError('CLIENT_ANSWER_INVALID', 'An event is too large.', { cause });
  }
}

/** The event in a frame; undefined for one that this client does not know. */
function eventOf({ id, name, data }: SseFrame): RequestEvent | undefined {
  if (!eventKinds.has(name) || !/^\d{1,16}$/.test(id)) return undefined;
  try {
    // A translator of what the server says; docs/openapi.json describes it.
    return { ...(JSON.parse(data) as RequestEventBody), id: Number(id) };
  } catch (cause) {
    throw new MillraceClientError('CLIENT_ANSWER_INVALID', 'An event is no JSON.', { cause });
  }
}

function isFinal({ kind }: RequestEvent): boolean {
  return kind === 'completed' || kind === 'failed' || kind === 'cancelled';
}
