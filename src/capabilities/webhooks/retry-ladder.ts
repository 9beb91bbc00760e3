/*
 * When a request of a webhook is made again: the ladder of Standard Webhooks, some three days. The first attempt is made at once; each pause is
 * as long as it says, or up to a fifth longer, so that what failed together is not sent together again.
 */

/** The pauses before the attempts, in seconds. */
export const ladderSeconds: readonly number[] = [
  0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400,
];
export const maxAttempts = ladderSeconds.length;
const jitterShare = 0.2;

/** What such an answer asks for is heeded up to here. */
const longestAskedSeconds = 86_400;
/** How long an endpoint is left alone that is too busy and does not say for how long. */
const defaultSlowSeconds = 60;
const busyStatuses: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** The pause after so many attempts, in seconds. `random` is from 0 to below 1. */
export function pauseSeconds(attempts: number, random: number): number {
  const pause = ladderSeconds[Math.min(attempts, maxAttempts - 1)] ?? 0;
  return pause * (1 + jitterShare * random);
}

/** For how long an endpoint that answers so is to be left alone, in seconds; undefined where it does not ask for it. */
export function slowSeconds(
  status: number | undefined,
  retryAfter: string | undefined,
  now: Date,
): number | undefined {
  if (status === undefined || !busyStatuses.has(status)) return undefined;
  const asked = askedSeconds(retryAfter, now);
  // Without a word of its own, 503 is an error like others.
  if (asked === undefined) return status === 503 ? undefined : defaultSlowSeconds;
  return Math.min(Math.max(asked, 1), longestAskedSeconds);
}

/** Retry-After: seconds, or a date. */
function askedSeconds(text: string | undefined, now: Date): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  // Only the form that HTTP has for dates: others would be read in this machine's time zone.
  const at = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  return Number.isNaN(at) ? undefined : (at - now.getTime()) / 1000;
}
