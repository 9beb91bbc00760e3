/*
 * Token buckets that may be taken from ahead of time. A bucket holds at most one minute's worth and refills evenly.
 * Whoever asks is given the wait after which the bucket will hold what it asks for, and what it takes is taken at once,
 * so that the next one waits behind it: first come, first served, also among processes, and large requests do not starve.
 * A wait that is longer than the asker accepts takes nothing.
 *
 * A small margin always stays in the bucket: it absorbs what requests under way use beyond their estimate. It costs
 * nothing but itself, once, since the bucket refills at the same pace whatever its level.
 *
 * The same arithmetic stands in model-limits-sql.ts, where the buckets are shared; a contract compares the two.
 */

/** One kind of limit of one model. */
export interface Bucket {
  readonly perMinute: number;
  /** Below 0 when it was taken from ahead of time. */
  readonly level: number;
}

/** The limits of one model; a kind without a limit is undefined. */
export interface Buckets {
  readonly requests: Bucket | undefined;
  readonly tokens: Bucket | undefined;
  /** How long the provider has asked everyone to wait. */
  readonly cooldownMs: number;
}

/** One request that wants to go. */
export interface Ask {
  readonly tokens: number;
  readonly maxWaitMs: number;
}

export interface Taken {
  readonly isGranted: boolean;
  /** Until it may go, when granted; else until it could have gone. */
  readonly waitMs: number;
}

/** The share of a limit that stays in its bucket. */
export const marginShare = 0.02;

const minuteMs = 60_000;

/** The bucket after some time. */
function refilled({ perMinute, level }: Bucket, elapsedMs: number): Bucket {
  return {
    perMinute,
    level: Math.min(perMinute, level + (Math.max(0, elapsedMs) * perMinute) / minuteMs),
  };
}

/** The buckets after some time. */
export function allRefilled({ requests, tokens, cooldownMs }: Buckets, elapsedMs: number): Buckets {
  return {
    requests: requests && refilled(requests, elapsedMs),
    tokens: tokens && refilled(tokens, elapsedMs),
    cooldownMs: Math.max(0, cooldownMs - elapsedMs),
  };
}

/**
 * How long until the amount is there, after what is asked for before it. An amount above the whole bucket waits for a
 * full one: it would never fit otherwise.
 */
function waitMs({ perMinute, level }: Bucket, amount: number, ahead = 0): number {
  const needed = Math.min(perMinute, amount + perMinute * marginShare);
  return Math.max(0, ((ahead + needed - level) * minuteMs) / perMinute);
}

/** How long one request would have to wait. */
export function waitOf({ requests, tokens, cooldownMs }: Buckets, amount: number): number {
  return Math.max(
    cooldownMs,
    requests === undefined ? 0 : waitMs(requests, 1),
    tokens === undefined ? 0 : waitMs(tokens, amount),
  );
}

/** Answers requests in order. What is refused still stands before those that come after it. */
export function take(
  buckets: Buckets,
  asks: readonly Ask[],
): { readonly buckets: Buckets; readonly answers: readonly Taken[] } {
  const { requests, tokens, cooldownMs } = buckets;
  let tokensAhead = 0;
  let tokensTaken = 0;
  let requestsTaken = 0;
  const answers = asks.map((ask, index): Taken => {
    const wait = Math.max(
      cooldownMs,
      requests === undefined ? 0 : waitMs(requests, 1, index),
      tokens === undefined ? 0 : waitMs(tokens, ask.tokens, tokensAhead),
    );
    tokensAhead += ask.tokens;
    const isGranted = wait <= ask.maxWaitMs;
    if (isGranted) {
      requestsTaken += 1;
      tokensTaken += ask.tokens;
    }
    return { isGranted, waitMs: wait };
  });
  return { buckets: lowered(buckets, requestsTaken, tokensTaken), answers };
}

/** The buckets without what was taken; a negative amount is given back. */
export function lowered(
  { requests, tokens, cooldownMs }: Buckets,
  requestCount: number,
  tokenCount: number,
): Buckets {
  const by = (bucket: Bucket | undefined, amount: number): Bucket | undefined =>
    bucket && { ...bucket, level: Math.min(bucket.perMinute, bucket.level - amount) };
  return { requests: by(requests, requestCount), tokens: by(tokens, tokenCount), cooldownMs };
}
