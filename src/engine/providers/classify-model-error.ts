import { AISDKError, APICallError, InvalidResponseDataError } from '@ai-sdk/provider';
import type { CallFailureKind } from './health-signal.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { ErrorCode } from '../../kernel/error-codes.ts';
import { readableError } from '../../kernel/readable-error.ts';
import { answerFaultOf } from './answer-fault.ts';
import { columnText } from './column-text.ts';
import { type ResponseHeaders, retryAfterMs, retryInfoMs } from './retry-after.ts';
import { isRefusedBeforeWork, kindOfRefusal, mayHaveWorkedBehindGateway } from './refusal-kind.ts';
import { type ReportedError, reportedError } from './reported-error.ts';
import { asRecord, type JsonRecord } from './token-usage.ts';

/*
 * What went wrong with a request to a model, and whether it can have been billed. An HTTP status of an error is an
 * answer: the provider refused, and refusals are free. A request that never left is free. Everything else (no answer
 * in time, also in the words of a gateway that gave up waiting, a connection that broke, an answer that cannot be read,
 * an error inside an answer that had begun) may have been billed: the call stays unsettled with its upper bound, unless
 * the failing answer itself brought a usage block.
 */

/** A failed request, understood. */
export interface ModelFailure {
  readonly kind: CallFailureKind;
  /** `free`: nothing was billed for certain. `unknown`: it may have been. */
  readonly billing: 'free' | 'unknown';
  readonly message: string;
  readonly retryAfterMs: number | undefined;
  /** The answer's headers, when there was one. */
  readonly headers: ResponseHeaders | undefined;
  /** The provider's usage block, when even the failing answer had one. */
  readonly usage: JsonRecord | undefined;
}

const maxMessageCharacters = 1000;
const maxStackCharacters = 4000;

const codes: Readonly<Record<CallFailureKind, ErrorCode>> = {
  rate_limited: 'MILLRACE_MODEL_RATE_LIMITED',
  overloaded: 'MILLRACE_MODEL_OVERLOADED',
  server_error: 'MILLRACE_MODEL_SERVER_ERROR',
  timeout: 'MILLRACE_MODEL_TIMEOUT',
  network: 'MILLRACE_MODEL_NETWORK',
  stream_cut: 'MILLRACE_MODEL_NETWORK',
  conflict: 'MILLRACE_MODEL_CONFLICT',
  bad_request: 'MILLRACE_MODEL_BAD_REQUEST',
  content_policy: 'MILLRACE_MODEL_CONTENT_POLICY',
  context_too_long: 'MILLRACE_MODEL_CONTEXT_TOO_LONG',
  authentication: 'MILLRACE_MODEL_AUTHENTICATION',
  not_found: 'MILLRACE_MODEL_NOT_FOUND',
  malformed_answer: 'MILLRACE_MODEL_MALFORMED_ANSWER',
  redirected: 'MILLRACE_MODEL_REDIRECTED',
  answer_too_large: 'MILLRACE_MODEL_ANSWER_TOO_LARGE',
  stalled: 'MILLRACE_MODEL_STALLED',
  aborted: 'MILLRACE_MODEL_ABORTED',
  failed: 'MILLRACE_MODEL_FAILED',
};

/** What reading an answer threw, as the error of a provider that did not answer as it should. */
export function malformedAnswer(error: unknown): Error {
  const readable = readableError(error);
  const problem = readable instanceof Error ? readable.message : 'what it threw is no error';
  return new InvalidResponseDataError({
    data: undefined,
    message: `The model's answer cannot be understood: ${problem}`,
  });
}

/** Understands what a model threw, or why its signal was aborted. */
export function classifyModelError(error: unknown, now: Date): ModelFailure {
  const fault = answerFaultOf(error);
  if (fault !== undefined) {
    return failure(fault.kind, fault.kind === 'redirected' ? 'free' : 'unknown', fault.message);
  }
  if (APICallError.isInstance(error)) return classifyCall(error, now);
  if (isNamed(error, 'TimeoutError')) return failure('timeout', 'unknown', messageOf(error));
  if (isNamed(error, 'AbortError') || isNamed(error, 'ResponseAborted')) {
    return failure('aborted', 'unknown', messageOf(error));
  }
  const network = networkCodeOf(error);
  if (network !== undefined) return networkFailure(network, messageOf(error));
  if (AISDKError.isInstance(error)) return classifySdkError(error);
  const inStream = asRecord(error);
  if (inStream !== undefined && !(error instanceof Error)) return classifyStreamError(inStream);
  return failure('failed', 'unknown', messageOf(error));
}

/** Why a request was aborted, from the reason of the signal that did it. */
export function abortFailure(reason: unknown): ModelFailure {
  return isNamed(reason, 'TimeoutError')
    ? failure('timeout', 'unknown', messageOf(reason))
    : failure('aborted', 'unknown', messageOf(reason));
}

/** A stream in which the provider reported an error. */
export interface FailedStream {
  readonly headers: ResponseHeaders | undefined;
  /** The usage that had come before. */
  readonly usage: JsonRecord | undefined;
  /** Whether any part of the answer had come: what was refused is then not free. */
  readonly hasContent: boolean;
}

/** An error that came as a part of a stream: before any of the answer it is what it would be as a whole body. */
export function classifyStreamedError(
  told: ReportedError,
  { headers, usage, hasContent }: FailedStream,
  now: Date,
): ModelFailure {
  const failed = classifyReported(told, {
    headers,
    usage,
    retryAfterMs: askedWaitMs(headers, told.detail, now),
  });
  return hasContent ? { ...failed, billing: 'unknown' } : failed;
}

/** A stream that ended before its end. */
export function streamCutFailure(message: string): ModelFailure {
  return failure('stream_cut', 'unknown', message);
}

/** Whether the provider refused the request: that came before whatever aborted it. */
export function isRefusal({ billing, headers }: ModelFailure): boolean {
  return billing === 'free' && headers !== undefined;
}

/** The failure as what a handler sees; its retryability is decided by the table of codes. */
export function modelError(
  failed: ModelFailure,
  { model, cause }: { readonly model: string; readonly cause: unknown },
): AppError {
  return new AppError(codes[failed.kind], `${model}: ${columnText(failed.message, maxMessageCharacters)}`, {
    cause: cause instanceof AppError ? cause : causeOf(cause),
    // A stage whose work was stopped for a reason of its own keeps what that reason says about trying again.
    ...(failed.kind === 'aborted' && cause instanceof AppError ? { retryable: cause.retryable } : {}),
    ...(failed.retryAfterMs === undefined ? {} : { retryAfterMs: failed.retryAfterMs }),
  });
}

/** The cause without what was asked and answered: errors are logged and stored, payloads never. */
function causeOf(error: unknown): Error | undefined {
  if (!(error instanceof Error)) return undefined;
  const cause = new Error(columnText(error.message, maxMessageCharacters), {
    cause: causeOf(error.cause),
  });
  cause.name = error.name;
  if (error.stack !== undefined) cause.stack = columnText(error.stack, maxStackCharacters);
  return cause;
}

function failure(
  kind: CallFailureKind,
  billing: ModelFailure['billing'],
  message: string,
  rest: Partial<ModelFailure> = {},
): ModelFailure {
  return { kind, billing, message, retryAfterMs: undefined, headers: undefined, usage: undefined, ...rest };
}

function classifyCall(error: APICallError, now: Date): ModelFailure {
  const { statusCode, responseHeaders: headers, message } = error;
  if (statusCode === undefined) {
    return networkFailure(networkCodeOf(error) ?? '', message);
  }
  const answer = answerOf(error);
  const usage = asRecord(answer?.['usage']) ?? asRecord(asRecord(answer?.['response'])?.['usage']);
  if (statusCode < 400) {
    const told = reportedError(answer);
    if (told !== undefined) {
      return classifyReported(told, { headers, usage, retryAfterMs: askedWaitMs(headers, told.detail, now) });
    }
    const isBroken = networkCodeOf(error.cause) !== undefined;
    return failure(isBroken ? 'stream_cut' : 'malformed_answer', 'unknown', message, { headers, usage });
  }
  const isInside = isInsideAnswer(error);
  const kind = kindOfRefusal(statusCode, answer, message, isInside);
  const mayWait = kind === 'rate_limited' || kind === 'overloaded' || kind === 'server_error';
  const mayHaveWorked = isInside || mayHaveWorkedBehindGateway(statusCode, answer);
  const isUnbilled = !mayHaveWorked || (isInside && usage === undefined && isRefusedBeforeWork(kind));
  return failure(kind, isUnbilled ? 'free' : 'unknown', message, {
    headers,
    usage,
    retryAfterMs: mayWait ? askedWaitMs(headers, answer?.['error'], now) : undefined,
  });
}

/** What the provider asks to wait: by its headers, or in its error's own words. */
function askedWaitMs(headers: ResponseHeaders | undefined, error: unknown, now: Date): number | undefined {
  return retryAfterMs(headers, now) ?? retryInfoMs(error);
}

/**
 * Whether the status is the SDK's reading of an error inside an answer that HTTP called a success: an error frame of
 * an event stream, or the error of a response object, which the SDK hands on unread.
 */
function isInsideAnswer({ responseBody, responseHeaders }: APICallError): boolean {
  const body: unknown = responseBody;
  return (
    typeof body === 'object' || (responseHeaders?.['content-type'] ?? '').startsWith('text/event-stream')
  );
}

function answerOf({ responseBody }: APICallError): JsonRecord | undefined {
  const body: unknown = responseBody;
  if (typeof body !== 'string') return asRecord(body);
  try {
    const read: unknown = JSON.parse(body);
    // Gemini's compatible endpoint puts its error into an array.
    return asRecord(Array.isArray(read) ? read[0] : read);
  } catch {
    // Not JSON: the status alone decides.
    return undefined;
  }
}

/** An answer that HTTP called a success and that holds an error: the provider's own words decide. */
function classifyReported(told: ReportedError, rest: Partial<ModelFailure>): ModelFailure {
  const kind = kindOfRefusal(told.status ?? 500, told.detail, told.message, told.status === undefined);
  const isFree = rest.usage === undefined && isRefusedBeforeWork(kind);
  const mayWait = kind === 'rate_limited' || kind === 'overloaded' || kind === 'server_error';
  const { retryAfterMs: asked, ...known } = rest;
  return failure(kind, isFree ? 'free' : 'unknown', told.message, {
    ...known,
    ...(mayWait ? { retryAfterMs: asked } : {}),
  });
}

/** An error that came as a part of a stream, as the SDK hands it on: never free, since the answer had begun. */
function classifyStreamError(error: JsonRecord): ModelFailure {
  const told = reportedError(asRecord(error['data'])) ?? reportedError({ error });
  const message =
    typeof error['message'] === 'string'
      ? error['message']
      : (told?.message ?? 'the stream reported an error');
  const status = error['statusCode'];
  const known = told?.status ?? (typeof status === 'number' ? status : undefined);
  const kind = kindOfRefusal(known ?? 500, told?.detail, message, true);
  return failure(kind, 'unknown', message);
}

/** Errors of the SDK itself: those of the first kind were thrown before anything was sent. */
function classifySdkError(error: AISDKError): ModelFailure {
  switch (error.name) {
    case 'AI_LoadAPIKeyError':
      return failure('authentication', 'free', error.message);
    case 'AI_NoSuchModelError':
      return failure('not_found', 'free', error.message);
    case 'AI_InvalidPromptError':
    case 'AI_InvalidArgumentError':
    case 'AI_LoadSettingError':
    case 'AI_NoSuchProviderReferenceError':
    case 'AI_TooManyEmbeddingValuesForCallError':
    case 'AI_UnsupportedFunctionalityError':
      return failure('bad_request', 'free', error.message);
    default: {
      // A chunk that the SDK could not read is, with some providers, an error in a form of their own.
      const told = 'value' in error ? reportedError(error.value) : undefined;
      if (told !== undefined) {
        return { ...classifyReported(told, { usage: usageInError(error) }), billing: 'unknown' };
      }
      return failure('malformed_answer', 'unknown', error.message, { usage: usageInError(error) });
    }
  }
}

function usageInError(error: AISDKError): JsonRecord | undefined {
  return 'data' in error ? asRecord(asRecord(error.data)?.['usage']) : undefined;
}

/** Failures before the request could leave: no connection was made. */
const unsentCodes = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
  'ConnectionRefused',
  'FailedToOpenSocket',
]);

const timeoutCodes = new Set([
  'ETIMEDOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
]);

function networkFailure(code: string, message: string): ModelFailure {
  const isUnsent =
    unsentCodes.has(code) || /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/.test(code);
  return failure(timeoutCodes.has(code) ? 'timeout' : 'network', isUnsent ? 'free' : 'unknown', message);
}

/** The system's or the HTTP client's code of a network error, looked for along the causes. */
function networkCodeOf(error: unknown): string | undefined {
  let current = error;
  for (let depth = 0; depth < 8 && current instanceof Error; depth += 1) {
    const code = 'code' in current ? current.code : undefined;
    if (
      typeof code === 'string' &&
      /^(E[A-Z]|UND_ERR|ERR_(TLS|SSL)|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|Connection|FailedToOpen)/.test(
        code,
      )
    ) {
      return code;
    }
    current = current.cause;
  }
  return undefined;
}

function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
