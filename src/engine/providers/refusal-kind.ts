import type { CallFailureKind } from './health-signal.ts';
import { asRecord, type JsonRecord } from './token-usage.ts';

/* What kind of refusal an error's status and words are, and whether they rule out that work was done. */

/** The kind of a refusal; `isInside` says that the status is a guess about an error inside an answer. */
export function kindOfRefusal(
  status: number,
  answer: JsonRecord | undefined,
  message: string,
  isInside: boolean,
): CallFailureKind {
  const detail = asRecord(answer?.['error']) ?? asRecord(asRecord(answer?.['response'])?.['error']) ?? answer;
  const words = wordsOf(detail, message);
  if (isContentPolicy(words)) return 'content_policy';
  if (isContextTooLong(words)) return 'context_too_long';
  if (/overloaded_error/i.test(words)) return 'overloaded';
  // Inside an answer the status is the SDK's guess; the provider's own words know better.
  if (isInside) return kindOfWords(words) ?? kindOfStatus(status);
  return kindOfStatus(status);
}

function wordsOf(detail: JsonRecord | undefined, message: string): string {
  return [detail?.['code'], detail?.['type'], detail?.['status'], message]
    .filter((word) => typeof word === 'string')
    .join(' ');
}

function kindOfWords(words: string): CallFailureKind | undefined {
  if (/rate[_ ]limit|resource_exhausted|too many requests|insufficient_quota/i.test(words)) {
    return 'rate_limited';
  }
  if (/invalid_api_key|(incorrect|invalid) api key|authentication_error|unauthenticated/i.test(words)) {
    return 'authentication';
  }
  if (/permission_error|permission_denied|billing_error/i.test(words)) return 'authentication';
  if (/model_not_found|not_found_error/i.test(words)) return 'not_found';
  if (/overloaded|unavailable/i.test(words)) return 'overloaded';
  if (/server_error|api_error/i.test(words)) return 'server_error';
  if (/invalid_request_error|invalid_argument/i.test(words)) return 'bad_request';
  return undefined;
}

function kindOfStatus(status: number): CallFailureKind {
  switch (status) {
    case 401:
    case 402:
    case 403:
      return 'authentication';
    case 404:
      return 'not_found';
    case 408:
    case 409:
      return 'conflict';
    case 413:
      return 'context_too_long';
    case 429:
      return 'rate_limited';
    case 503:
    case 529:
      return 'overloaded';
    case 504:
      return 'timeout';
    default:
      return status >= 500 ? 'server_error' : 'bad_request';
  }
}

function isContentPolicy(words: string): boolean {
  return /content_policy|content_filter|content filter|moderation_blocked|safety system|invalid_prompt/i.test(
    words,
  );
}

function isContextTooLong(words: string): boolean {
  return /context_length_exceeded|maximum context length|prompt is too long|exceed(s|ed)? (the )?context|request_too_large|string_above_max_length/i.test(
    words,
  );
}

/** Refusals that providers give before any token is made. */
export function isRefusedBeforeWork(kind: CallFailureKind): boolean {
  return (
    kind === 'rate_limited' ||
    kind === 'authentication' ||
    kind === 'not_found' ||
    kind === 'context_too_long'
  );
}

/**
 * Statuses by which a gateway says that it waited no longer, or lost the provider while it worked: 408, 502 and 504, and
 * Cloudflare's 520, 522 and 524. The provider may have done the work, and bills it.
 */
const workMayGoOn: ReadonlySet<number> = new Set([408, 502, 504, 520, 522, 524]);

/** Whether the status is of a gateway behind which the provider may have worked, and no word in the body says otherwise. */
export function mayHaveWorkedBehindGateway(status: number, answer: JsonRecord | undefined): boolean {
  return workMayGoOn.has(status) && !saysRefused(answer);
}

/** Whether the provider itself says in the body, by a code of its own, why it did not begin. */
function saysRefused(answer: JsonRecord | undefined): boolean {
  const told = asRecord(answer?.['error']);
  if (told === undefined) return false;
  const kind = kindOfWords(wordsOf(told, ''));
  return kind !== undefined && (isRefusedBeforeWork(kind) || kind === 'overloaded' || kind === 'bad_request');
}
