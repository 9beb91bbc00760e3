import type { ClientClock } from './client-clock.ts';
import type { MillraceRequest, RequestOrigin } from './request-document.ts';
import type { RetryLimits } from './retry-policy.ts';
import type { ResultSchema } from './standard-schema.ts';

/* What callers say to a client. */

export interface MillraceClientOptions {
  /** Where the API is, such as `https://millrace.example.com`. */
  readonly baseUrl: string | URL;
  /** An API key, or what gives one for each call. */
  readonly apiKey?: string | (() => string | Promise<string>);
  /** Further headers of every call. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default the platform's. */
  readonly fetch?: typeof fetch;
  readonly retry?: Partial<RetryLimits>;
  /** How long an answer may take, beside what it was asked to wait. Default 30 s. */
  readonly timeoutMs?: number;
  /** Connections of a stream in a row that bring nothing, before it gives up. Default 30, which are some minutes. */
  readonly maxReconnects?: number;
  /** How long a stream may be silent before it connects again. Default 45 s; servers send a heartbeat every 15 s. */
  readonly livenessMs?: number;
  /** For tests. Default the machine's. */
  readonly clock?: ClientClock;
}

/** A request, or its id. */
export type RequestReference = string | { readonly id: string };

export interface ResultOptions<Result> {
  /** What results are to be; without it, they are as the caller says. */
  readonly schema?: ResultSchema<Result> | undefined;
  /** Ends the call, and nothing else: the request goes on. */
  readonly signal?: AbortSignal | undefined;
}

export interface SubmitOptions<Result> extends ResultOptions<Result> {
  /** Who causes the work, as far as the API key does not say it. */
  readonly origin?: Partial<Pick<RequestOrigin, 'team' | 'customer' | 'feature' | 'labels'>>;
  /** What is to be done once, however often it is submitted. Default a new one, which covers the tries of this call. */
  readonly idempotencyKey?: string;
  /** How long the answer is held back for the end of the request. Default not at all. */
  readonly waitSeconds?: number;
  /** Where the pipeline takes in several types, which one the data is, and the version of its schema. */
  readonly type?: string;
  readonly version?: number;
  /** What happens when nobody listens to its events any more. Default the request goes on. */
  readonly onDisconnect?: 'continue' | 'cancel';
  readonly disconnectGraceSeconds?: number;
  /** The endpoint that is told of its end. */
  readonly webhook?: string;
}

export interface StreamOptions {
  /** Only events after this id, such as the last that was seen before a restart. Default all. */
  readonly after?: number;
  /** Ends the stream, and nothing else: whether the request goes on is its `onDisconnect`. */
  readonly signal?: AbortSignal;
}

export interface UiMessageStreamOptions {
  /** Of a request that has ended: everything once more (default), or nothing. */
  readonly whenEnded?: 'replay' | 'none';
  readonly signal?: AbortSignal;
}

/** Which requests are listed. */
export interface ListQuery {
  readonly state?: MillraceRequest['state'] | readonly MillraceRequest['state'][];
  readonly team?: string | readonly string[];
  readonly customer?: string | readonly string[];
  readonly feature?: string | readonly string[];
  readonly pipeline?: string | readonly string[];
  /** Of one page, 200 at most. */
  readonly limit?: number;
  /** The `next` of the page before. */
  readonly after?: string;
  readonly signal?: AbortSignal;
}
