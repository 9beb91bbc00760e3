import { AppError } from '../../../kernel/app-error.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { newId } from '../../../kernel/ids.ts';
import type { PriceCatalogues } from '../../../engine/ledger/price-catalogues.ts';
import { type CatalogueComparison, compareCatalogues } from '../../../pricing/catalogue-comparison.ts';
import { readCatalogueText } from '../../../pricing/catalogue-file.ts';
import { GenaiPricesCatalogue } from '../../../pricing/catalogue.genai-prices.ts';
import { priceErrors } from '../price-errors.ts';

/** What is asked for: what a catalogue would change, or to take it. */
export interface RefreshRequest {
  /** The file's text; undefined: the packaged catalogue again. */
  readonly text: string | undefined;
  /** Whether it is taken, and not only shown. */
  readonly isTaken: boolean;
  /** Whether changes are taken that no price makes. */
  readonly isAccepted: boolean;
  readonly actor: string;
  readonly reason: string;
}

/** What changes. */
export interface RefreshReport extends CatalogueComparison {
  readonly before: string;
  readonly after: string;
  readonly isTaken: boolean;
}

/** Compares a catalogue with the one that holds, and takes it in its place. */
export class CatalogueRefresh {
  readonly #catalogues: PriceCatalogues;
  readonly #clock: Clock;

  constructor({ catalogues, clock }: { readonly catalogues: PriceCatalogues; readonly clock: Clock }) {
    this.#catalogues = catalogues;
    this.#clock = clock;
  }

  /** Throws MILLRACE_PRICE_CATALOGUE_INVALID, and MILLRACE_PRICE_CATALOGUE_ABSURD where it would be taken unseen. */
  async refresh({ text, isTaken, isAccepted, actor, reason }: RefreshRequest): Promise<RefreshReport> {
    const now = this.#clock.now();
    const read = text === undefined ? undefined : readCatalogueText(text);
    if (read !== undefined && 'faults' in read) {
      const list = read.faults
        .map(({ field, problem }) => (field === '' ? problem : `${field}: ${problem}`))
        .join('; ');
      throw new AppError(
        priceErrors.MILLRACE_PRICE_CATALOGUE_INVALID,
        `The catalogue is not valid: ${list}`,
        {
          faults: read.faults,
        },
      );
    }
    const before = new GenaiPricesCatalogue(await this.#catalogues.present());
    const after = new GenaiPricesCatalogue(read);
    const comparison = compareCatalogues(before, after, now);
    const { added, removed, changed, absurd } = comparison;
    if (isTaken && !isAccepted && absurd.length > 0)
      throw new AppError(
        priceErrors.MILLRACE_PRICE_CATALOGUE_ABSURD,
        `The catalogue changes prices more than prices change: ${absurd.slice(0, 20).join('; ')}.`,
      );
    if (isTaken) {
      const counts = {
        before: before.name,
        added: added.length,
        removed: removed.length,
        changed: changed.length,
      };
      const catalogue = read === undefined || text === undefined ? undefined : { digest: read.digest, text };
      await this.#catalogues.take(catalogue, counts, { id: newId(now), actor, reason });
    }
    return { ...comparison, before: before.name, after: after.name, isTaken };
  }
}
