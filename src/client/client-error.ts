/** What the API says went wrong: a problem document (RFC 9457). */
export interface ClientProblem {
  /** `urn:millrace:error:CODE`. */
  readonly type: string;
  /** What happened; the same for every error of this code. */
  readonly title: string;
  readonly status: number;
  /** What happened this time. */
  readonly detail?: string | undefined;
  /** The path of the request. */
  readonly instance: string;
  readonly code: string;
  /** What can be done about it. */
  readonly todo: string;
  /** Whether the same may succeed later. */
  readonly retryable: boolean;
  readonly faults?: readonly { readonly field: string; readonly problem: string }[] | undefined;
}

/** Codes of what the client itself finds; all others are those of the API, which docs/errors.md lists. */
export type ClientErrorCode =
  /** What the client was given cannot be used: the message names it. */
  | 'CLIENT_OPTION_INVALID'
  /** The server could not be reached, or the connection broke. */
  | 'CLIENT_NETWORK'
  /** No answer came in time. */
  | 'CLIENT_TIMEOUT'
  /** An answer with an error status that is no problem document: something between client and server gave it. */
  | 'CLIENT_HTTP'
  /** The answer is not what the API gives. */
  | 'CLIENT_ANSWER_INVALID'
  /** The result is not what the given schema wants. */
  | 'CLIENT_RESULT_INVALID'
  /** Text cannot be told whole, because events of the request were lost; its result is not. */
  | 'CLIENT_EVENTS_LOST'
  /** Not a webhook that was signed with any of the secrets, of late. */
  | 'CLIENT_WEBHOOK_INVALID';

export interface ClientErrorParts {
  /** The status of the answer, if there was one. */
  readonly status?: number | undefined;
  readonly retryable?: boolean | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly problem?: ClientProblem | undefined;
  /** Of a request that did not succeed. */
  readonly requestId?: string | undefined;
  readonly cause?: unknown;
}

/** Everything that a client throws, but the reason of a signal that the caller aborted. */
export class MillraceClientError extends Error {
  override readonly name = 'MillraceClientError';
  /** A code of the API, or a ClientErrorCode. */
  readonly code: string;
  /** The HTTP status; undefined where no answer came. */
  readonly status: number | undefined;
  /** Whether the same may succeed later. The client has already tried again as often as it may. */
  readonly retryable: boolean;
  /** How long to wait before, where the server says it. */
  readonly retryAfterMs: number | undefined;
  readonly problem: ClientProblem | undefined;
  /** The request that failed or was cancelled; undefined where a call of the API did not succeed. */
  readonly requestId: string | undefined;

  constructor(code: ClientErrorCode | (string & {}), message: string, parts: ClientErrorParts = {}) {
    super(message, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.code = code;
    this.status = parts.status;
    this.retryable = parts.retryable ?? false;
    this.retryAfterMs = parts.retryAfterMs;
    this.problem = parts.problem;
    this.requestId = parts.requestId;
  }
}
