import { catalogueOf, type PriceOverrides } from '../../../engine/ledger/price-overrides.ts';
import type { LivePriceBook } from '../../../pricing/live-price-book.ts';
import type { Logger } from '../../../telemetry/logger.ts';

/** Brings the prices that operators have set into the price book of this process. */
export class OverrideWatch {
  readonly #overrides: PriceOverrides;
  readonly #book: Pick<LivePriceBook, 'replaceOverrides' | 'version'>;
  readonly #logger: Logger;
  #known: string | undefined;

  constructor({
    overrides,
    book,
    logger,
  }: {
    readonly overrides: PriceOverrides;
    readonly book: Pick<LivePriceBook, 'replaceOverrides' | 'version'>;
    readonly logger: Logger;
  }) {
    this.#overrides = overrides;
    this.#book = book;
    this.#logger = logger;
  }

  /** One look; there is never more to do at once. */
  async look(): Promise<boolean> {
    const catalogue = catalogueOf(await this.#overrides.read());
    if (catalogue?.name === this.#known) return false;
    this.#known = catalogue?.name;
    this.#book.replaceOverrides(catalogue);
    this.#logger.info(
      { overrides: catalogue?.name ?? 'none', priceBook: this.#book.version },
      'calls are priced by other prices from now on',
    );
    return false;
  }
}
