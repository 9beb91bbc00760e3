import { asRecord } from './token-usage.ts';

/*
 * How long a provider asks to wait, from the headers of its refusal: retry-after-ms and retry-after first, then the
 * times at which its limits are full again (OpenAI as durations, Anthropic as points in time). What is no number, no
 * duration and no date in a form of HTTP is not read: a parser of dates makes one of "in 5 minutes", too. Google's say it in the body.
 */

/** Header names in lower case. */
export type ResponseHeaders = Readonly<Record<string, string | undefined>>;

/** What is longer is a mistake of the provider's; the waits that are granted are bounded by configuration. */
const maxAskedMs = 366 * 86_400_000;

/** Milliseconds that it asks for, or undefined when the provider does not say. */
export function retryAfterMs(headers: ResponseHeaders | undefined, now: Date): number | undefined {
  if (headers === undefined) return undefined;
  const asked =
    milliseconds(headers['retry-after-ms']) ?? retryAfterHeader(headers, now) ?? limitReset(headers, now);
  return asked === undefined ? undefined : Math.min(Math.ceil(asked), maxAskedMs);
}

const retryInfoType = 'type.googleapis.com/google.rpc.RetryInfo';

/**
 * Milliseconds that Google's APIs ask for in the error of a refusal, whose headers say nothing: `details` with a `google.rpc.RetryInfo`,
 * whose `retryDelay` is a duration in seconds ("34.074824224s"). Undefined when there is none.
 */
export function retryInfoMs(error: unknown): number | undefined {
  const details = asRecord(error)?.['details'];
  if (!Array.isArray(details)) return undefined;
  let asked: number | undefined;
  for (const detail of details.map((one) => asRecord(one))) {
    if (detail?.['@type'] !== retryInfoType) continue;
    const { retryDelay } = detail;
    const wait = typeof retryDelay === 'string' ? durationMs(retryDelay) : undefined;
    if (wait !== undefined) asked = Math.max(asked ?? 0, wait);
  }
  return asked === undefined ? undefined : Math.min(Math.ceil(asked), maxAskedMs);
}

function milliseconds(value: string | undefined): number | undefined {
  return longest(value, (part) => positiveNumber(part));
}

function retryAfterHeader(headers: ResponseHeaders, now: Date): number | undefined {
  const value = headers['retry-after'];
  const seconds = longest(value, (part) => {
    const number = positiveNumber(part);
    return number === undefined ? durationMs(part) : number * 1000;
  });
  if (seconds !== undefined) return seconds;
  // A date is one by the provider's clock, which it tells, too.
  const itsNow = timeOf(headers['date']);
  return untilTime(value, itsNow === undefined ? now : new Date(itsNow));
}

/** A header that was sent twice comes as a list: the longest wait is in accord with all of it. */
function longest(value: string | undefined, read: (part: string) => number | undefined): number | undefined {
  if (value === undefined) return undefined;
  const parts = value.split(',').map((part) => read(part.trim()));
  const numbers = parts.filter((part) => part !== undefined);
  return numbers.length === parts.length ? Math.max(...numbers) : undefined;
}

/** Only limits that are used up say anything about the wait; of those the last to be full again. */
function limitReset(headers: ResponseHeaders, now: Date): number | undefined {
  let last: number | undefined;
  for (const what of ['requests', 'tokens', 'input-tokens', 'output-tokens']) {
    for (const prefix of ['x-ratelimit', 'anthropic-ratelimit']) {
      const isAnthropic = prefix === 'anthropic-ratelimit';
      const name = (kind: string): string =>
        isAnthropic ? `${prefix}-${what}-${kind}` : `${prefix}-${kind}-${what}`;
      if (positiveNumber(headers[name('remaining')]) !== 0) continue;
      const reset = headers[name('reset')];
      const waitMs = isAnthropic ? untilTime(reset, now) : durationMs(reset);
      if (waitMs !== undefined) last = Math.max(last ?? 0, waitMs);
    }
  }
  return last;
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
  const at = timeOf(text);
  return at === undefined ? undefined : Math.max(0, at - now.getTime());
}

/** The three forms of a date in HTTP, of which the last names no zone and means Greenwich's, and RFC 3339's. */
const zonedDate =
  /^(?:[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4}|[A-Z][a-z]+day, \d{2}-[A-Z][a-z]{2}-\d{2}) [\d:]{8} GMT$/;
const unzonedDate = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4}$/;
const timestamp = /^\d{4}-\d{2}-\d{2}T[\d:]{8}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/i;

function timeOf(text: string | undefined): number | undefined {
  const value = text?.trim() ?? '';
  const isUnzoned = unzonedDate.test(value);
  if (!isUnzoned && !zonedDate.test(value) && !timestamp.test(value)) return undefined;
  const at = Date.parse(isUnzoned ? `${value} GMT` : value);
  return Number.isNaN(at) ? undefined : at;
}

function positiveNumber(text: string | undefined): number | undefined {
  const value = text?.trim() ?? '';
  return /^\d+(?:\.\d+)?$/.test(value) ? Number(value) : undefined;
}
