import { AppError } from '../../kernel/app-error.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { ModelLimiter } from './model-limiter.ts';
import type { LimitCorrection, RateLimitStore } from './model-limits.ts';
import type { Buckets } from './token-bucket.ts';

export interface LimitCorrectionsOptions {
  readonly store: Pick<RateLimitStore, 'correct'>;
  readonly logger: Logger;
  /** Called with what the limits are then. */
  readonly onState: (lane: ModelLimiter, state: Buckets) => void;
}

/** Settles what was taken of limits to the truth. Nobody waits for it but the end of the process. */
export class LimitCorrections {
  readonly #options: LimitCorrectionsOptions;
  readonly #underWay = new Set<Promise<void>>();
  #hasComplained = false;

  constructor(options: LimitCorrectionsOptions) {
    this.#options = options;
  }

  /** Resolves when the last one is written. */
  async close(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  write(lane: ModelLimiter, correction: Omit<LimitCorrection, 'provider' | 'model'>): void {
    const { provider, model } = lane;
    const written = this.#options.store
      .correct({ provider, model, ...correction })
      .then((state) => {
        if (state !== undefined) this.#options.onState(lane, state);
      })
      .catch((error: unknown) => this.#complain(error))
      .finally(() => this.#underWay.delete(written));
    this.#underWay.add(written);
  }

  /** What was not given back refills by itself: the limit is then used less than it could be, never more. */
  #complain(error: unknown): void {
    if (this.#hasComplained) return;
    this.#hasComplained = true;
    this.#options.logger.warn(
      { error, code: error instanceof AppError ? error.code : undefined },
      'a model limit could not be settled to the truth; estimates stand until the ledger is back',
    );
  }
}
