import type { MillraceClientError } from './client-error.ts';

/** How often, and how patiently, a client tries again. */
export interface RetryLimits {
  /** Further tries after the first. Default 5. */
  readonly maxRetries: number;
  /** The longest Retry-After that is waited for; with a longer one the error is thrown at once. Default 60 s. */
  readonly maxRetryAfterMs: number;
}

export const defaultRetryLimits: RetryLimits = { maxRetries: 5, maxRetryAfterMs: 60_000 };

const firstPauseMs = 250;
const longestPauseMs = 15_000;

/** How long to wait before the next try; undefined where none is due. `random` is at least 0, below 1. */
export function pauseBeforeRetry(
  error: Pick<MillraceClientError, 'retryable' | 'retryAfterMs'>,
  {
    retries,
    limits,
    random,
  }: { readonly retries: number; readonly limits: RetryLimits; readonly random: number },
): number | undefined {
  if (!error.retryable || retries >= limits.maxRetries) return undefined;
  const { retryAfterMs } = error;
  const ownMs = Math.min(firstPauseMs * 2 ** retries, longestPauseMs) * (0.5 + random / 2);
  if (retryAfterMs === undefined) return ownMs;
  if (retryAfterMs > limits.maxRetryAfterMs) return undefined;
  // Never before the server wants it, and not all clients at the same moment.
  return Math.max(retryAfterMs * (1 + random / 10), ownMs);
}

/** What the header Retry-After says, seconds or a date, in milliseconds from now. */
export function readRetryAfter(header: string | null, nowMs: number): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const atMs = text === '' ? Number.NaN : Date.parse(text);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}
