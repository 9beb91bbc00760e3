import type { ReadCatalogue } from './catalogue-file.ts';
import type { PriceOverlay } from './overlay.ts';
import { packagedPriceBook, type PackagedPriceBookOptions } from './packaged-price-book.ts';
import type { Pricer, PriceQuestion, Pricing, UsageBeside } from './price.ts';
import type { PriceBook } from './price-book.ts';
import type { RatedCounts } from './token-classes.ts';
import type { UnitCounts } from './usage-units.ts';

/** The price book of a process, whose overrides and catalogue change while it runs: each question is answered by the prices of that moment. */
export class LivePriceBook implements Pricer {
  readonly #options: Omit<PackagedPriceBookOptions, 'overrides' | 'catalogue'>;
  #book: PriceBook;

  /** Throws MILLRACE_CONFIG_INVALID as `packagedPriceBook` does. */
  constructor(options: Omit<PackagedPriceBookOptions, 'overrides' | 'catalogue'> = {}) {
    this.#options = options;
    this.#book = packagedPriceBook(options);
  }

  /** The book as it is now, which does not change any more. */
  get present(): PriceBook {
    return this.#book;
  }

  get version(): string {
    return this.#book.version;
  }

  /** Prices by these overrides, and by this catalogue in place of the packaged one, from now on. */
  replace(overrides: PriceOverlay | undefined, catalogue: ReadCatalogue | undefined): void {
    this.#book = packagedPriceBook({
      ...this.#options,
      ...(overrides === undefined ? {} : { overrides }),
      ...(catalogue === undefined ? {} : { catalogue }),
    });
  }

  price(question: PriceQuestion, tokens: RatedCounts, beside?: UsageBeside): Pricing {
    return this.#book.price(question, tokens, beside);
  }

  upperBound(
    question: PriceQuestion,
    maxInputTokens: number,
    maxOutputTokens: number,
    maxUnits?: UnitCounts,
  ): ReturnType<Pricer['upperBound']> {
    return this.#book.upperBound(question, maxInputTokens, maxOutputTokens, maxUnits);
  }

  limits(provider: string, model: string): ReturnType<Pricer['limits']> {
    return this.#book.limits(provider, model);
  }
}
