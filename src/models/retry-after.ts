/*
 * How long a provider asks to wait, from the headers of its refusal: retry-after-ms and retry-after first, then the
 * times at which its limits are full again (OpenAI as durations, Anthropic as points in time).
 */

/** Header names in lower case. */
export type ResponseHeaders = Readonly<Record<string, string | undefined>>;

/** Longer waits are not believed: a clock is wrong, or it is a daily quota that an operator must see. */
const maxRetryAfterMs = 24 * 3_600_000;

/** Milliseconds to wait, or undefined when the provider does not say. */
export function retryAfterMs(headers: ResponseHeaders | undefined, now: Date): number | undefined {
  if (headers === undefined) return undefined;
  const asked =
    positiveNumber(headers['retry-after-ms']) ??
    retryAfterHeader(headers['retry-after'], now) ??
    limitReset(headers, now);
  return asked === undefined ? undefined : Math.min(Math.ceil(asked), maxRetryAfterMs);
}

function retryAfterHeader(value: string | undefined, now: Date): number | undefined {
  const seconds = positiveNumber(value);
  if (seconds !== undefined) return seconds * 1000;
  return untilTime(value, now);
}

/** Only limits that are used up say anything about the wait; of those the last to be full again. */
function limitReset(headers: ResponseHeaders, now: Date): number | undefined {
  let longest: number | undefined;
  for (const what of ['requests', 'tokens', 'input-tokens', 'output-tokens']) {
    for (const prefix of ['x-ratelimit', 'anthropic-ratelimit']) {
      const isAnthropic = prefix === 'anthropic-ratelimit';
      const name = (kind: string): string =>
        isAnthropic ? `${prefix}-${what}-${kind}` : `${prefix}-${kind}-${what}`;
      if (positiveNumber(headers[name('remaining')]) !== 0) continue;
      const reset = headers[name('reset')];
      const waitMs = isAnthropic ? untilTime(reset, now) : durationMs(reset);
      if (waitMs !== undefined) longest = Math.max(longest ?? 0, waitMs);
    }
  }
  return longest;
}

/** "6m0s", "1.5s", "20ms", "1h2m3s" in milliseconds. */
function durationMs(text: string | undefined): number | undefined {
  if (text === undefined || !/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined;
  const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  let total = 0;
  for (const [, count = '0', unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(count) * (unitMs[unit] ?? 0);
  }
  return total;
}

function untilTime(text: string | undefined, now: Date): number | undefined {
  // Only what has letters is a date to be read; a bare number would be taken for a year.
  if (text === undefined || !/[a-z]/i.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now.getTime());
}

function positiveNumber(text: string | undefined): number | undefined {
  if (text === undefined || text.trim() === '') return undefined;
  const value = Number(text);
  return Number.isFinite(value) && value >= 0 ? value : undefined;
}
