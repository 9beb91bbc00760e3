import type { DeferredEnd } from '../../../engine/calls/deferred-settler.ts';
import type { CallFailureKind } from '../../../engine/providers/health-signal.ts';
import { type RequestOutcome, wholeBatchPrefix } from '../provider/provider-batch-request.ts';
import { comesAgain } from './mode-choice.ts';

/*
 * What the end of a request in a provider's batch is to its call. Only what succeeded is billed, and what is missing may have been.
 */

/** The end of the request's call. */
export function endOfRequest({ outcome, statusCode, result, error }: RequestOutcome): DeferredEnd {
  const message = error === undefined ? '' : `${error.code}: ${error.message}`;
  switch (outcome) {
    case 'succeeded':
      return result === undefined
        ? { kind: 'unknown', message: 'The request succeeded, and its answer is missing.' }
        : { kind: 'answered', answer: { statusCode: statusCode ?? 200, body: result } };
    case 'failed':
      return { kind: 'failed', failure: failureKindOf(statusCode, error?.code ?? ''), message };
    case 'expired':
      return { kind: 'failed', failure: 'timeout', message: "The provider's batch expired before its turn." };
    case 'cancelled':
      return {
        kind: 'failed',
        failure: 'aborted',
        message: "The provider's batch was cancelled before its turn.",
      };
    case 'missing':
      return { kind: 'unknown', message: "The provider's batch has no result of it." };
  }
}

/** Never sent: it was withdrawn while it waited. */
export const withdrawn: DeferredEnd = {
  kind: 'failed',
  failure: 'aborted',
  message: "It was taken back before it was in a provider's batch.",
};

/** Anthropic's types of errors, and OpenAI's codes of requests and of whole batches. */
const kindsByCode: Readonly<Partial<Record<string, CallFailureKind>>> = {
  invalid_request_error: 'bad_request',
  invalid_request: 'bad_request',
  invalid_json_line: 'bad_request',
  duplicate_custom_id: 'bad_request',
  url_mismatch: 'bad_request',
  model_mismatch: 'bad_request',
  request_too_large: 'bad_request',
  context_length_exceeded: 'context_too_long',
  content_policy_violation: 'content_policy',
  content_filter: 'content_policy',
  model_not_found: 'not_found',
  not_found_error: 'not_found',
  authentication_error: 'authentication',
  permission_error: 'authentication',
  rate_limit_error: 'rate_limited',
  rate_limit_exceeded: 'rate_limited',
  token_limit_exceeded: 'rate_limited',
  overloaded_error: 'overloaded',
};

/** What refuses a batch as a whole says nothing of the single request, which may be answered in another batch or by itself. */
function failureKindOf(statusCode: number | undefined, code: string): CallFailureKind {
  if (!code.startsWith(wholeBatchPrefix)) return kindOfRequest(statusCode, code);
  const kind = kindOfRequest(statusCode, code.slice(wholeBatchPrefix.length));
  return comesAgain(kind) ? 'failed' : kind;
}

function kindOfRequest(statusCode: number | undefined, code: string): CallFailureKind {
  const named = kindsByCode[code];
  if (named !== undefined) return named;
  const status = statusCode ?? statusIn(code);
  switch (status) {
    case 401:
    case 403:
      return 'authentication';
    case 404:
      return 'not_found';
    case 408:
      return 'timeout';
    case 409:
      return 'conflict';
    case 429:
      return 'rate_limited';
    case 529:
      return 'overloaded';
    default:
      return status !== undefined && status >= 400 && status < 500 ? 'bad_request' : 'server_error';
  }
}

/** The driver's own codes name the status of a refused batch: "http_400". */
function statusIn(code: string): number | undefined {
  const status = /^http_(\d{3})$/.exec(code)?.[1];
  return status === undefined ? undefined : Number(status);
}
