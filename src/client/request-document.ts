/* Requests as the API shows them. docs/openapi.json says the same of `Request`. */

/** Who caused the work. */
export interface RequestOrigin {
  readonly team: string;
  readonly customer: string;
  readonly feature: string;
  readonly batch?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** Money in US dollars: exact decimal strings. */
export interface RequestCost {
  /** What its calls cost so far, or in all. */
  readonly usd: string;
  /** Whether the request has ended and every call has its price: nothing is added to it. */
  readonly isFinal: boolean;
  readonly calls: number;
  /** Calls whose cost is not in it because no price is known. */
  readonly unpricedCalls: number;
  /** Calls under way, or of unknown outcome. */
  readonly unsettledCalls: number;
  /** What these can have cost at most. */
  readonly unsettledUpperBoundUsd: string;
}

/** Why a request failed or was cancelled. */
export interface RequestFailure {
  readonly code: string;
  readonly message: string;
  readonly stage?: string | undefined;
  /** Whether the same may succeed as a new request, under a new idempotency key. */
  readonly retryable: boolean;
}

interface RequestFacts {
  readonly id: string;
  readonly pipeline: string;
  readonly type: string;
  readonly version: number;
  readonly origin: RequestOrigin;
  readonly onDisconnect: 'continue' | 'cancel';
  readonly disconnectGraceSeconds: number;
  readonly createdAt: string;
  readonly cancelAskedAt?: string | undefined;
}

interface WholeRequest extends RequestFacts {
  /** Messages of it that have not ended. */
  readonly openMessages: number;
  readonly cost: RequestCost;
}

/** A request that has not ended. */
export interface OpenRequest extends WholeRequest {
  readonly state: 'queued' | 'running';
  /** Where it has come furthest. */
  readonly stage?: string | undefined;
  /** Of one that was just accepted. */
  readonly estimate?:
    { readonly startSeconds?: number | undefined; readonly costUsd?: string | undefined } | undefined;
}

/** A request that succeeded. */
export interface CompletedRequest<Result = unknown> extends WholeRequest {
  readonly state: 'completed';
  readonly endedAt: string;
  /** How many outputs its pipeline had. With 1 the result is that output, otherwise the list of all. */
  readonly outputs: number;
  readonly result: Result;
}

/** A request that did not. */
export interface UnsuccessfulRequest extends WholeRequest {
  readonly state: 'failed' | 'cancelled';
  readonly endedAt: string;
  readonly error: RequestFailure;
}

export type EndedRequest<Result = unknown> = CompletedRequest<Result> | UnsuccessfulRequest;

/** A request as it stands, by its `state`. */
export type MillraceRequest<Result = unknown> = OpenRequest | EndedRequest<Result>;

/** A request in a list, without its result. */
export interface RequestSummary extends RequestFacts {
  readonly state: MillraceRequest['state'];
  readonly endedAt?: string | undefined;
  readonly error?: RequestFailure | undefined;
  /** Of one that has ended. */
  readonly cost?: RequestCost | undefined;
}

export interface RequestPage {
  readonly requests: readonly RequestSummary[];
  /** For `after`: where the next page begins; absent on the last. */
  readonly next?: string | undefined;
}

export interface StreamToken {
  readonly token: string;
  readonly expiresAt: string;
  /** Where the events are, with the token; a path of the API. */
  readonly url: string;
}

/** Whether the request has ended. */
export function hasEnded<Result>(request: MillraceRequest<Result>): request is EndedRequest<Result> {
  return request.state !== 'queued' && request.state !== 'running';
}
