import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import { catalogueOf, PriceOverrides } from '../../../engine/ledger/price-overrides.ts';
import { PriceCatalogues } from '../../../engine/ledger/price-catalogues.ts';
import { readOverlayFile } from '../../../pricing/overlay.ts';
import { packagedPriceBook } from '../../../pricing/packaged-price-book.ts';
import type { PriceBook } from '../../../pricing/price-book.ts';
import type { Installation } from '../../../terminal/installation.ts';
import { BatchReports } from './batch-reports.ts';

/** What reports of batches read of the configuration. */
export interface BatchReportSettings {
  readonly models: {
    readonly priceOverlay?: string | undefined;
    readonly providers: Readonly<Record<string, { readonly priceProvider?: string | undefined }>>;
  };
}

/** Reports of batches in an operator's command. Throws what opening the ledger throws, and MILLRACE_PRICE_OVERLAY_INVALID. */
export async function withBatchReports<Result>(
  { settings, withLedger }: Installation<BatchReportSettings>,
  work: (reports: BatchReports) => Promise<Result>,
): Promise<Result> {
  return withLedger(async ({ database }) => {
    const book = await bookOf(settings, database);
    const { providers } = settings.models;
    return work(
      new BatchReports({
        database,
        findPrice: (question) =>
          book.findPrice({
            ...question,
            provider: providers[question.provider]?.priceProvider ?? question.provider,
          }),
      }),
    );
  });
}

/** The price book of the installation, with the prices that operators have set. */
async function bookOf(
  { models: { priceOverlay } }: BatchReportSettings,
  database: SqlDatabase,
): Promise<PriceBook> {
  const overlay = priceOverlay === undefined ? undefined : await readOverlayFile(priceOverlay);
  const overrides = catalogueOf((await new PriceOverrides(database).read()).overrides);
  const catalogue = await new PriceCatalogues(database).present();
  return packagedPriceBook({
    ...(overlay === undefined ? {} : { overlay }),
    ...(overrides === undefined ? {} : { overrides }),
    ...(catalogue === undefined ? {} : { catalogue }),
  });
}
