import { allRefilled, type Buckets, waitOf } from './token-bucket.ts';
import type { RateLimit } from './model-limits.ts';

/** Nobody is put aside for longer; who comes back too early is put aside again. */
export const maxParkMs = 60_000;

const nothingKnown: Buckets = { requests: undefined, tokens: undefined, cooldownMs: 0 };

/** What one process knows of one model's limits: their last state, when it was known, and who was put aside. */
export class ModelLimiter {
  readonly provider: string;
  readonly model: string;
  #limit: RateLimit | undefined;
  #state: Buckets = nothingKnown;
  #atMs = 0;
  #cooldownUntilMs = 0;
  #parkedUntilMs = 0;

  constructor(provider: string, model: string, limit: RateLimit | undefined) {
    this.provider = provider;
    this.model = model;
    this.#limit = limit;
  }

  /** Undefined for a model without limits. */
  get limit(): RateLimit | undefined {
    return this.#limit;
  }

  /** Another limit holds: what was known of the buckets says nothing any more, and is asked for anew. */
  changeTo(limit: RateLimit | undefined): void {
    if (limit === this.#limit) return;
    this.#limit = limit;
    this.#state = nothingKnown;
    this.#parkedUntilMs = 0;
  }

  learn(state: Buckets, nowMs: number): void {
    this.#state = state;
    this.#atMs = nowMs;
    this.coolDown(state.cooldownMs, nowMs);
  }

  /** The provider wants nobody to ask for this time. */
  coolDown(cooldownMs: number, nowMs: number): void {
    if (cooldownMs > 0) this.#cooldownUntilMs = Math.max(this.#cooldownUntilMs, nowMs + cooldownMs);
  }

  cooldownMs(nowMs: number): number {
    return Math.max(0, this.#cooldownUntilMs - nowMs);
  }

  /** How long a request would have to wait, by what is known here. */
  waitMs(tokens: number, nowMs: number): number {
    return Math.max(this.cooldownMs(nowMs), waitOf(allRefilled(this.#state, nowMs - this.#atMs), tokens));
  }

  /**
   * When a request that is put aside should come back: behind those that were put aside before it, at the pace at which
   * the limits let them through.
   */
  parkUntilMs(tokens: number, waitMs: number, nowMs: number): number {
    const { requests, tokens: bucket } = this.#state;
    const paceMs = Math.max(
      bucket === undefined ? 0 : (tokens * 60_000) / bucket.perMinute,
      requests === undefined ? 0 : 60_000 / requests.perMinute,
    );
    const inTurnMs = Math.max(this.#parkedUntilMs, nowMs + waitMs) + paceMs;
    this.#parkedUntilMs = Math.min(inTurnMs, nowMs + maxParkMs);
    return inTurnMs;
  }
}
