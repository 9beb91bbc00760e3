import { ApiConnection, invalidOption, jsonOf, pathPart } from './api-connection.ts';
import { type ClientClock, machineClock, pause } from './client-clock.ts';
import { MillraceClientError } from './client-error.ts';
import type {
  ListQuery,
  MillraceClientOptions,
  RequestReference,
  ResultOptions,
  StreamOptions,
  SubmitOptions,
  UiMessageStreamOptions,
} from './client-options.ts';
import {
  type CompletedRequest,
  type EndedRequest,
  hasEnded,
  type MillraceRequest,
  type RequestPage,
  type RequestSummary,
  type StreamToken,
} from './request-document.ts';
import type { RequestEvent } from './request-event.ts';
import { followRequest } from './request-stream.ts';
import { RequestText } from './request-text.ts';
import { defaultRetryLimits } from './retry-policy.ts';
import { readResult, type ResultSchema } from './standard-schema.ts';

const uiMessageHeaders = [
  'content-type',
  'cache-control',
  'x-accel-buffering',
  'x-vercel-ai-ui-message-stream',
] as const;

type QueryValue = string | number | readonly string[] | undefined;

const defaultTimeoutMs = 30_000;
const defaultLivenessMs = 45_000;
const defaultMaxReconnects = 30;
/** Of one call: below the time-outs of proxies. */
const waitSecondsOfCall = 25;
const shortWaitMs = 500;
const longestWaitPauseMs = 5000;

/**
 * A client of Millrace's requests: accepted at once, answered when they are ready, streamed while they are made. It needs `fetch` and nothing else.
 * What may pass (no connection, 429, 503) is tried again by itself; nothing is paid twice for that.
 */
export class MillraceClient {
  readonly #connection: ApiConnection;
  readonly #clock: ClientClock;
  readonly #stream: { readonly maxReconnects: number; readonly livenessMs: number };
  readonly #random = (): number => Math.random();

  constructor({
    clock = machineClock,
    fetch = (input, init) => globalThis.fetch(input, init),
    retry,
    timeoutMs = defaultTimeoutMs,
    maxReconnects = defaultMaxReconnects,
    livenessMs = defaultLivenessMs,
    ...options
  }: MillraceClientOptions) {
    if (options.apiKey === '') throw invalidOption('apiKey is an API key, and not empty.');
    this.#clock = clock;
    this.#stream = { maxReconnects, livenessMs };
    this.#connection = new ApiConnection({
      ...options,
      fetch,
      clock,
      timeoutMs,
      random: this.#random,
      retry: { ...defaultRetryLimits, ...retry },
    });
  }

  /** Asks a pipeline for something. Answers when that is accepted, or has ended within `waitSeconds`. */
  async submit<Result = unknown>(
    pipeline: string,
    data: unknown,
    options: SubmitOptions<Result> = {},
  ): Promise<MillraceRequest<Result>> {
    const { schema, signal, idempotencyKey = newKey(), waitSeconds = 0, ...rest } = options;
    if (!(waitSeconds >= 0 && waitSeconds < Infinity))
      throw invalidOption(`waitSeconds is a number from 0, and not ${waitSeconds}.`);
    const answer = await this.#connection.json({
      method: 'POST',
      path: `v1/pipelines/${pathPart(pipeline)}/requests`,
      body: jsonOf({ data, ...rest }),
      headers: {
        'idempotency-key': quoted(idempotencyKey),
        prefer: waitSeconds > 0 ? `respond-async, wait=${Math.ceil(waitSeconds)}` : 'respond-async',
      },
      waitMs: waitSeconds * 1000,
      signal,
    });
    return await typed(requestOf<Result>(answer), schema);
  }

  /** The request as it stands. */
  async get<Result = unknown>(
    request: RequestReference,
    { schema, signal }: ResultOptions<Result> = {},
  ): Promise<MillraceRequest<Result>> {
    return await typed(await this.#read<Result>(idOf(request), 0, signal), schema);
  }

  /** The request when it has ended, however it did. */
  async wait<Result = unknown>(
    request: RequestReference,
    { schema, signal }: ResultOptions<Result> = {},
  ): Promise<EndedRequest<Result>> {
    const id = idOf(request);
    for (let pauseMs = shortWaitMs; ;) {
      const askedMs = this.#clock.nowMs();
      const answer = await typed(await this.#read<Result>(id, waitSecondsOfCall, signal), schema);
      if (hasEnded(answer)) return answer;
      // Where too many wait, a server answers at once.
      const isShort = this.#clock.nowMs() - askedMs < shortWaitMs;
      if (isShort) await pause(this.#clock, pauseMs, signal);
      pauseMs = isShort ? Math.min(pauseMs * 2, longestWaitPauseMs) : shortWaitMs;
    }
  }

  /** The result, when there is one. Throws MillraceClientError with the code of what stopped a request that did not succeed. */
  async result<Result = unknown>(
    request: RequestReference,
    options: ResultOptions<Result> = {},
  ): Promise<Result> {
    return succeeded(await this.wait(request, options)).result;
  }

  /** A page of requests, newest first. */
  async list({ signal, ...query }: ListQuery = {}): Promise<RequestPage> {
    const asked = new URLSearchParams();
    for (const [name, value] of Object.entries<QueryValue>(query)) {
      for (const one of typeof value === 'object' ? value : [value])
        if (one !== undefined) asked.append(name, String(one));
    }
    const answer = await this.#connection.json({ method: 'GET', path: 'v1/requests', query: asked, signal });
    if (isObject(answer) && Array.isArray(answer['requests'])) return answer as unknown as RequestPage;
    throw unexpected('The answer is no page of requests.');
  }

  /** All requests, page by page, newest first. */
  async *listAll(query: ListQuery = {}): AsyncGenerator<RequestSummary, void> {
    for (let { after } = query; ;) {
      const page = await this.list({ ...query, ...(after === undefined ? {} : { after }) });
      yield* page.requests;
      if (page.next === undefined) return;
      after = page.next;
    }
  }

  /**
   * What happens to the request, from its first event to its final one, each once and in order: a connection that breaks is made again where it broke.
   * Whoever stops reading stops listening.
   */
  async *stream<Result = unknown>(
    request: RequestReference,
    { after = 0, signal }: StreamOptions = {},
  ): AsyncGenerator<RequestEvent<Result>, void> {
    const id = idOf(request);
    const options = {
      ...this.#stream,
      connection: this.#connection,
      clock: this.#clock,
      random: this.#random,
    };
    const path = `v1/requests/${pathPart(id)}/events`;
    for await (const event of followRequest(options, { path, after, signal })) {
      const isLarge = event.kind === 'completed' && 'resultAt' in event.request;
      // A result that is too large for a stream is read from the request.
      const whole = isLarge ? { ...event, request: await this.#read(id, 0, signal) } : event;
      // The caller says what the result is.
      yield whole as RequestEvent<Result>;
    }
  }

  /**
   * The request's events as the AI SDK's UI message stream, always from their beginning: what a server's route answers `useChat` with, as it is.
   * With `none`, 204 for a request that has ended. The signal is that of the browser's request: when the browser leaves, so does its listener.
   */
  async uiMessageStream(
    request: RequestReference,
    { whenEnded = 'replay', signal }: UiMessageStreamOptions = {},
  ): Promise<Response> {
    const { response, close } = await this.#connection.open({
      method: 'GET',
      path: `v1/requests/${pathPart(idOf(request))}/events`,
      query: new URLSearchParams({ format: 'ui-message-stream', whenEnded }),
      headers: { accept: 'text/event-stream' },
      signal,
    });
    const { status, headers, body } = response;
    if (body === null || status === 204) {
      close();
      return new Response(null, { status: 204 });
    }
    const passed = uiMessageHeaders.flatMap((name): [string, string][] => {
      const value = headers.get(name);
      return value === null ? [] : [[name, value]];
    });
    return new Response(body, { status, headers: passed });
  }

  /**
   * The text that the request publishes, whole, when it has ended. Throws MillraceClientError with the code of what stopped a request that did not
   * succeed, and CLIENT_EVENTS_LOST where the stream has gaps.
   */
  async text(
    request: RequestReference,
    { stage, signal }: { readonly stage?: string; readonly signal?: AbortSignal } = {},
  ): Promise<string> {
    // A stream that was made again may have gaps that its log, read once more, has not.
    for (let reading = 1; reading <= 2; reading += 1) {
      const text = new RequestText({ stage });
      for await (const event of this.stream(request, signal === undefined ? {} : { signal })) {
        text.take(event);
        if (event.kind === 'failed' || event.kind === 'cancelled') succeeded(event.request);
      }
      if (text.isComplete) return text.text;
    }
    throw new MillraceClientError(
      'CLIENT_EVENTS_LOST',
      'Events of the request were lost, and text may be missing: read its result.',
      { requestId: idOf(request) },
    );
  }

  /** Cancels the request: what waits of it never runs, what runs is aborted. Throws MillraceClientError for one that has ended. */
  async cancel(
    request: RequestReference,
    { reason, signal }: { readonly reason?: string; readonly signal?: AbortSignal } = {},
  ): Promise<MillraceRequest> {
    const answer = await this.#connection.json({
      method: 'POST',
      path: `v1/requests/${pathPart(idOf(request))}/cancel`,
      body: JSON.stringify({ reason }),
      signal,
    });
    return requestOf(answer);
  }

  /** A token with which a page that cannot send headers reads the request's events for some minutes: `new EventSource(url)`. */
  async streamToken(
    request: RequestReference,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<StreamToken> {
    const path = `v1/requests/${pathPart(idOf(request))}/stream-token`;
    const answer = await this.#connection.json({ method: 'POST', path, signal });
    if (isObject(answer) && typeof answer['url'] === 'string') return answer as unknown as StreamToken;
    throw unexpected('The answer is no stream token.');
  }

  async #read<Result>(
    id: string,
    waitSeconds: number,
    signal: AbortSignal | undefined,
  ): Promise<MillraceRequest<Result>> {
    const answer = await this.#connection.json({
      method: 'GET',
      path: `v1/requests/${pathPart(id)}`,
      ...(waitSeconds > 0 ? { headers: { prefer: `wait=${waitSeconds}` } } : {}),
      waitMs: waitSeconds * 1000,
      signal,
    });
    return requestOf(answer);
  }
}

/** The request, if it succeeded. Throws MillraceClientError with the code of what stopped it. */
function succeeded<Result>(request: EndedRequest<Result>): CompletedRequest<Result> {
  if (request.state === 'completed') return request;
  const { code, message, retryable } = request.error;
  throw new MillraceClientError(code, message, { retryable, requestId: request.id });
}

async function typed<Result>(
  request: MillraceRequest<Result>,
  schema: ResultSchema<Result> | undefined,
): Promise<MillraceRequest<Result>> {
  if (schema === undefined || request.state !== 'completed') return request;
  return { ...request, result: await readResult(schema, request.result, request.id) };
}

function requestOf<Result>(answer: unknown): MillraceRequest<Result> {
  // A translator of what the API says; the caller, or a schema, says what the result is.
  if (isObject(answer) && typeof answer['id'] === 'string' && typeof answer['state'] === 'string')
    return answer as unknown as MillraceRequest<Result>;
  throw unexpected('The answer is no request.');
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function unexpected(message: string): MillraceClientError {
  return new MillraceClientError('CLIENT_ANSWER_INVALID', message);
}

function idOf(request: RequestReference): string {
  return typeof request === 'string' ? request : request.id;
}

/** A text of structured fields (RFC 9651). */
function quoted(key: string): string {
  return `"${key.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

/** Not `crypto.randomUUID`, which browsers have on secure pages only. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
