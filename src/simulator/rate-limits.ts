import type { SimulatedRateLimit } from './simulator-config.ts';
import type { SimulatedProvider } from './simulator-prices.ts';

/*
 * Limits per minute and model as token buckets: each refills evenly and pauses at most one minute's worth. A model
 * without a configured limit has a nominal one that only shows in the headers.
 */

const nominalPerMinute = { requests: 30_000, tokens: 180_000_000 };

interface Bucket {
  readonly perMinute: number;
  readonly isEnforced: boolean;
  level: number;
  atMs: number;
}

interface ModelBuckets {
  readonly requests: Bucket;
  readonly tokens: Bucket;
}

/** The state that the answer's headers tell. */
export interface LimitState {
  readonly requests: LimitReading;
  readonly tokens: LimitReading;
}

interface LimitReading {
  readonly limit: number;
  readonly remaining: number;
  /** Until the bucket is full again. */
  readonly resetMs: number;
}

export type LimitDecision =
  | { readonly kind: 'admitted'; readonly state: LimitState }
  | {
      readonly kind: 'refused';
      readonly state: LimitState;
      readonly what: 'requests' | 'tokens';
      readonly limit: number;
      readonly retryAfterMs: number;
    };

export class RateLimits {
  readonly #limits: Readonly<Record<string, SimulatedRateLimit>>;
  readonly #buckets = new Map<string, ModelBuckets>();

  constructor(limits: Readonly<Record<string, SimulatedRateLimit>>) {
    this.#limits = limits;
  }

  /** Takes one request and its tokens from the model's buckets, or says how long to wait; a refusal takes nothing. */
  take(model: string, tokens: number, nowMs: number): LimitDecision {
    const buckets = this.#bucketsOf(model, nowMs);
    refill(buckets.requests, nowMs);
    refill(buckets.tokens, nowMs);
    const refused = missing('requests', buckets.requests, 1) ?? missing('tokens', buckets.tokens, tokens);
    if (refused !== undefined) return { kind: 'refused', state: stateOf(buckets), ...refused };
    buckets.requests.level = Math.max(0, buckets.requests.level - 1);
    buckets.tokens.level = Math.max(0, buckets.tokens.level - tokens);
    return { kind: 'admitted', state: stateOf(buckets) };
  }

  /** The state without taking anything. */
  peek(model: string, nowMs: number): LimitState {
    const buckets = this.#bucketsOf(model, nowMs);
    refill(buckets.requests, nowMs);
    refill(buckets.tokens, nowMs);
    return stateOf(buckets);
  }

  #bucketsOf(model: string, nowMs: number): ModelBuckets {
    const known = this.#buckets.get(model);
    if (known !== undefined) return known;
    const limit = this.#limits[model] ?? this.#limits['*'];
    const buckets = {
      requests: fullBucket(limit?.requestsPerMinute, nominalPerMinute.requests, nowMs),
      tokens: fullBucket(limit?.tokensPerMinute, nominalPerMinute.tokens, nowMs),
    };
    this.#buckets.set(model, buckets);
    return buckets;
  }
}

function fullBucket(limit: number | undefined, nominal: number, nowMs: number): Bucket {
  const perMinute = limit ?? nominal;
  return { perMinute, isEnforced: limit !== undefined, level: perMinute, atMs: nowMs };
}

function refill(bucket: Bucket, nowMs: number): void {
  bucket.level = Math.min(
    bucket.perMinute,
    bucket.level + ((nowMs - bucket.atMs) * bucket.perMinute) / 60_000,
  );
  bucket.atMs = nowMs;
}

/** A request larger than the whole bucket goes through when the bucket is full: it would never fit otherwise. */
function missing(
  what: 'requests' | 'tokens',
  bucket: Bucket,
  amount: number,
): { what: 'requests' | 'tokens'; limit: number; retryAfterMs: number } | undefined {
  const needed = Math.min(amount, bucket.perMinute);
  if (!bucket.isEnforced || bucket.level >= needed) return undefined;
  const retryAfterMs = Math.ceil(((needed - bucket.level) * 60_000) / bucket.perMinute);
  return { what, limit: bucket.perMinute, retryAfterMs };
}

function stateOf({ requests, tokens }: ModelBuckets): LimitState {
  return { requests: reading(requests), tokens: reading(tokens) };
}

function reading({ perMinute, level }: Bucket): LimitReading {
  return {
    limit: perMinute,
    remaining: Math.floor(level),
    resetMs: Math.ceil(((perMinute - level) * 60_000) / perMinute),
  };
}

/** The limits as the provider's response headers tell them. */
export function limitHeaders(
  provider: SimulatedProvider,
  state: LimitState,
  now: Date,
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const what of ['requests', 'tokens'] as const) {
    const { limit, remaining, resetMs } = state[what];
    if (provider === 'openai') {
      headers[`x-ratelimit-limit-${what}`] = String(limit);
      headers[`x-ratelimit-remaining-${what}`] = String(remaining);
      headers[`x-ratelimit-reset-${what}`] =
        resetMs < 1000 ? `${resetMs}ms` : `${(resetMs / 1000).toFixed(3)}s`;
    } else {
      headers[`anthropic-ratelimit-${what}-limit`] = String(limit);
      headers[`anthropic-ratelimit-${what}-remaining`] = String(remaining);
      headers[`anthropic-ratelimit-${what}-reset`] = new Date(now.getTime() + resetMs).toISOString();
    }
  }
  return headers;
}
