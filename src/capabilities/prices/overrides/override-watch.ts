import type { Uuid } from '../../../kernel/ids.ts';
import type { PriceCatalogues } from '../../../engine/ledger/price-catalogues.ts';
import { catalogueOf, type PriceOverrides } from '../../../engine/ledger/price-overrides.ts';
import type { ReadCatalogue } from '../../../pricing/catalogue-file.ts';
import type { LivePriceBook } from '../../../pricing/live-price-book.ts';
import { LogOnce } from '../../../telemetry/log-once.ts';
import type { Logger } from '../../../telemetry/logger.ts';

interface OverrideWatchOptions {
  readonly overrides: PriceOverrides;
  readonly catalogues: PriceCatalogues;
  readonly book: Pick<LivePriceBook, 'replace' | 'version'>;
  readonly logger: Logger;
}

/** Brings the prices that operators have set, and the catalogue that they have taken, into the price book of this process. */
export class OverrideWatch {
  readonly #options: OverrideWatchOptions;
  #known: { readonly overrides: string | undefined; readonly catalogue: Uuid | undefined } = {
    overrides: undefined,
    catalogue: undefined,
  };
  #catalogue: ReadCatalogue | undefined;
  readonly #told = new LogOnce();

  constructor(options: OverrideWatchOptions) {
    this.#options = options;
  }

  /** One look; there is never more to do at once. */
  async look(): Promise<boolean> {
    const { overrides, catalogues, book, logger } = this.#options;
    const { overrides: readable, unreadable } = await overrides.read();
    for (const { id, problem } of unreadable) {
      if (this.#told.isNew(id))
        logger.error(
          { override: id, problem },
          'a price that was set cannot be read and is left out; "millrace prices unset ID --entirely" removes it',
        );
    }
    const set = catalogueOf(readable);
    const latest = await catalogues.latest();
    if (set?.name === this.#known.overrides && latest === this.#known.catalogue) return false;
    if (latest !== undefined && latest !== this.#known.catalogue)
      this.#catalogue = await catalogues.read(latest);
    book.replace(set, this.#catalogue);
    this.#known = { overrides: set?.name, catalogue: latest };
    logger.info(
      {
        overrides: set?.name ?? 'none',
        catalogue: this.#catalogue?.digest ?? 'packaged',
        priceBook: book.version,
      },
      'calls are priced by other prices from now on',
    );
    return false;
  }
}
