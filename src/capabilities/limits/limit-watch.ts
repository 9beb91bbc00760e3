import { warmInputEstimates } from '../../engine/providers/input-estimate.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { LimitBook } from './limit-book.ts';
import type { SetLimits } from './set-limits.ts';

/** Brings what operators have set into the book of this process. */
export class LimitWatch {
  readonly #options: {
    readonly book: LimitBook;
    readonly limits: Pick<SetLimits, 'read'>;
    readonly logger: Logger;
  };

  constructor(options: { book: LimitBook; limits: Pick<SetLimits, 'read'>; logger: Logger }) {
    this.#options = options;
  }

  /** One look; there never is more to do at once. */
  async look(): Promise<false> {
    const { book, limits, logger } = this.#options;
    const set = await limits.read();
    if (!book.replace(Object.fromEntries(set.map((one) => [one.model, one])))) return false;
    await warmInputEstimates(set.map(({ model }) => model.slice(model.indexOf('/') + 1)));
    logger.info(
      { limits: set.map(({ model, actor, reason }) => ({ model, actor, reason })) },
      'limits of models that operators have set hold now',
    );
    return false;
  }
}
