import { type ClientClock, pause } from './client-clock.ts';
import { type ClientErrorParts, type ClientProblem, MillraceClientError } from './client-error.ts';
import { pauseBeforeRetry, readRetryAfter, type RetryLimits } from './retry-policy.ts';

/** What a client asks the API with. */
export interface ApiConnectionOptions {
  /** Where the API is, with a path before `/v1` where a proxy has one. */
  readonly baseUrl: string | URL;
  /** The API key, or what gives it for each call. */
  readonly apiKey?: string | (() => string | Promise<string>) | undefined;
  /** Further headers of every call. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly fetch: typeof fetch;
  readonly clock: ClientClock;
  readonly random: () => number;
  readonly retry: RetryLimits;
  /** How long an answer may take, beside what it was asked to wait. */
  readonly timeoutMs: number;
}

/** One call of the API. */
export interface Ask {
  readonly method: 'GET' | 'POST';
  /** After the base URL; the parts are made safe with `pathPart`. */
  readonly path: string;
  readonly query?: URLSearchParams | undefined;
  /** JSON. The same text is sent again in every try. */
  readonly body?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** How long the server was asked to hold back its answer. */
  readonly waitMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An answer whose body is still to come. `abort` ends the connection, with what is then thrown. */
export interface OpenAnswer {
  readonly response: Response;
  readonly abort: (reason: unknown) => void;
  /** Forgets the caller's signal; once, at the end. */
  readonly close: () => void;
}

const passingStatuses = new Set([408, 425, 429, 502, 503, 504]);

/** Calls the API. Every call may be made twice without harm: what writes carries an idempotency key, or is the same once more. */
export class ApiConnection {
  readonly #options: ApiConnectionOptions;
  readonly #base: URL;

  constructor(options: ApiConnectionOptions) {
    this.#options = options;
    this.#base = baseOf(options.baseUrl);
    if (!this.#base.pathname.endsWith('/')) this.#base.pathname += '/';
  }

  /** The JSON of the answer. Tries again what may pass. Throws MillraceClientError, or the signal's reason. */
  async json(ask: Ask): Promise<unknown> {
    const { clock, random, retry } = this.#options;
    for (let retries = 0; ; retries += 1) {
      try {
        return await this.#jsonOnce(ask);
      } catch (error) {
        if (!(error instanceof MillraceClientError)) throw error;
        const pauseMs = pauseBeforeRetry(error, { retries, limits: retry, random: random() });
        if (pauseMs === undefined) throw error;
        await pause(clock, pauseMs, ask.signal);
      }
    }
  }

  /** A good answer, at one try. Throws MillraceClientError, or the signal's reason. */
  async open(ask: Ask): Promise<OpenAnswer> {
    const { clock, timeoutMs, fetch } = this.#options;
    const { signal } = ask;
    signal?.throwIfAborted();
    const request = await this.#requestOf(ask);
    const connection = new AbortController();
    const abort = (reason: unknown): void => connection.abort(reason);
    const onAbort = (): void => abort(signal?.reason);
    const close = (): void => signal?.removeEventListener('abort', onAbort);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
    const stop = clock.startTimer(timeoutMs + (ask.waitMs ?? 0), () => abort(timedOut()));
    try {
      const response = await fetch(request.url, { ...request.init, signal: connection.signal });
      if (!response.ok) throw await this.#errorOf(response);
      return { response, abort, close };
    } catch (error) {
      const thrown = callError(error, connection.signal);
      close();
      abort(thrown);
      throw thrown;
    } finally {
      stop();
    }
  }

  async #jsonOnce(ask: Ask): Promise<unknown> {
    const { clock, timeoutMs } = this.#options;
    const { response, abort, close } = await this.open(ask);
    const stop = clock.startTimer(timeoutMs, () => abort(timedOut()));
    let text: string;
    try {
      text = await response.text();
    } catch (error) {
      throw callError(error, ask.signal);
    } finally {
      stop();
      close();
    }
    return parsed(text, response.status);
  }

  async #requestOf({ method, path, query, body, headers }: Ask): Promise<{ url: URL; init: RequestInit }> {
    const { apiKey, headers: always } = this.#options;
    const url = new URL(path, this.#base);
    if (query !== undefined) url.search = query.toString();
    const key = typeof apiKey === 'function' ? await apiKey() : apiKey;
    return {
      url,
      init: {
        method,
        // The API redirects nothing: what does is not the API, and must not get what was meant for it.
        redirect: 'manual',
        headers: {
          accept: 'application/json',
          ...always,
          ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body }),
      },
    };
  }

  async #errorOf(response: Response): Promise<MillraceClientError> {
    const { status } = response;
    const problem = problemOf(await response.text());
    const retryAfterMs = readRetryAfter(response.headers.get('retry-after'), this.#options.clock.nowMs());
    const parts: ClientErrorParts = { status, retryAfterMs, problem };
    if (problem !== undefined)
      return new MillraceClientError(problem.code, problem.detail ?? problem.title, {
        ...parts,
        retryable: problem.retryable,
      });
    return new MillraceClientError('CLIENT_HTTP', `The server answered with status ${status}.`, {
      ...parts,
      retryable: passingStatuses.has(status),
    });
  }
}

/** A name as a part of a path. Throws CLIENT_OPTION_INVALID for one that no path can hold. */
export function pathPart(text: string): string {
  // URLs resolve these, in whatever way they are written.
  if (text === '' || text === '.' || text === '..' || !text.isWellFormed())
    throw invalidOption(`"${text}" is no name and no id.`);
  return encodeURIComponent(text);
}

/** What is thrown for an error of a connection: what its signal was aborted with, or that it broke. */
export function callError(error: unknown, signal: AbortSignal | undefined): unknown {
  if (error instanceof MillraceClientError) return error;
  if (signal?.aborted === true) return signal.reason;
  const why = error instanceof Error ? error.message : String(error);
  return new MillraceClientError('CLIENT_NETWORK', `The connection to the server failed: ${why}`, {
    retryable: true,
    cause: error,
  });
}

/** That nothing came for too long. */
export function timedOut(): MillraceClientError {
  return new MillraceClientError('CLIENT_TIMEOUT', 'The server did not answer in time.', { retryable: true });
}

function parsed(text: string, status: number): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new MillraceClientError('CLIENT_ANSWER_INVALID', 'The answer is no JSON.', { status, cause });
  }
}

function problemOf(text: string): ClientProblem | undefined {
  try {
    const read = JSON.parse(text) as Partial<ClientProblem> | null;
    const isProblem =
      typeof read?.code === 'string' && typeof read.title === 'string' && typeof read.retryable === 'boolean';
    // A translator of what a server says: the rest of a problem's members only informs.
    return isProblem ? (read as ClientProblem) : undefined;
  } catch {
    // A proxy's page.
    return undefined;
  }
}

/** A body as JSON. Throws CLIENT_OPTION_INVALID for what JSON cannot hold. */
export function jsonOf(body: unknown): string {
  try {
    return JSON.stringify(body);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MillraceClientError('CLIENT_OPTION_INVALID', `The data cannot be written as JSON: ${why}`, {
      cause,
    });
  }
}

/** Something that a caller gave and that cannot be used. */
export function invalidOption(message: string): MillraceClientError {
  return new MillraceClientError('CLIENT_OPTION_INVALID', message);
}

function baseOf(url: string | URL): URL {
  const text = String(url);
  const base = URL.canParse(text) ? new URL(text) : undefined;
  if (base?.protocol === 'http:' || base?.protocol === 'https:') return base;
  throw invalidOption(
    `baseUrl is the address of the API, such as "https://millrace.example.com", and not "${text}".`,
  );
}
