import type { LimitMetrics } from './limit-metrics.ts';
import { ModelLimiter } from './model-limiter.ts';
import type { LimitBook } from './limit-book.ts';
import type { LimitedModel } from './model-limits.ts';
import type { Buckets } from './token-bucket.ts';

/** What this process knows of the limits of each model. */
export class LimitLanes {
  readonly #limits: Pick<LimitBook, 'limitOf'>;
  readonly #metrics: LimitMetrics;
  readonly #lanes = new Map<string, ModelLimiter>();

  constructor(limits: Pick<LimitBook, 'limitOf'>, metrics: LimitMetrics) {
    this.#limits = limits;
    this.#metrics = metrics;
  }

  of({ provider, model }: LimitedModel): ModelLimiter {
    const name = `${provider}/${model}`;
    const limit = this.#limits.limitOf({ provider, model });
    const known = this.#lanes.get(name);
    if (known !== undefined) {
      known.changeTo(limit);
      return known;
    }
    const lane = new ModelLimiter(provider, model, limit);
    this.#lanes.set(name, lane);
    return lane;
  }

  /** Takes in what the ledger says about a model's limits. */
  learn(lane: ModelLimiter, state: Buckets, nowMs: number): void {
    lane.learn(state, nowMs);
    const { provider, model } = lane;
    for (const kind of ['requests', 'tokens'] as const) {
      const bucket = state[kind];
      if (bucket === undefined) continue;
      const labels = { provider, model, kind };
      this.#metrics.set('llm_limit_per_minute', labels, bucket.perMinute);
      this.#metrics.set('llm_limit_remaining', labels, Math.max(0, Math.floor(bucket.level)));
    }
  }
}
