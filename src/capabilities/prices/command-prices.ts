import { ExportLedger } from '../../engine/export/export-ledger.ts';
import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { catalogueOf, PriceOverrides } from '../../engine/ledger/price-overrides.ts';
import { PriceCatalogues } from '../../engine/ledger/price-catalogues.ts';
import { RepriceLedger } from '../../engine/ledger/reprice-ledger.ts';
import { type PriceOverlay, readOverlayFile } from '../../pricing/overlay.ts';
import { packagedPriceBook } from '../../pricing/packaged-price-book.ts';
import type { PriceBook } from '../../pricing/price-book.ts';
import type { Installation, LedgerAccess } from '../../terminal/installation.ts';
import { CallPrices } from './call-price/call-prices.ts';
import { OverrideService } from './overrides/override-service.ts';
import { CatalogueRefresh } from './refresh/catalogue-refresh.ts';
import { RepriceService } from './reprice/reprice-service.ts';

/** What commands about prices read of the configuration. */
export interface PriceSettings {
  readonly models: {
    readonly priceOverlay?: string | undefined;
    readonly providers: Readonly<Record<string, { readonly priceProvider?: string | undefined }>>;
  };
}

/** The price book of an installation, and what of it is one's own. Throws MILLRACE_PRICE_OVERLAY_INVALID. */
export async function bookOf({
  models: { priceOverlay },
}: PriceSettings): Promise<{ readonly book: PriceBook; readonly overlay: PriceOverlay | undefined }> {
  const overlay = priceOverlay === undefined ? undefined : await readOverlayFile(priceOverlay);
  const book = packagedPriceBook(overlay === undefined ? {} : { overlay });
  return { book, overlay };
}

/** The same, with the prices that operators have set. */
async function bookWithOverrides({ models: { priceOverlay } }: PriceSettings, database: SqlDatabase) {
  const overlay = priceOverlay === undefined ? undefined : await readOverlayFile(priceOverlay);
  const overrides = catalogueOf((await new PriceOverrides(database).read()).overrides);
  const catalogue = await new PriceCatalogues(database).present();
  return packagedPriceBook({
    ...(overlay === undefined ? {} : { overlay }),
    ...(overrides === undefined ? {} : { overrides }),
    ...(catalogue === undefined ? {} : { catalogue }),
  });
}

/** Whose prices a provider follows by the configuration. */
function priceProviderIn({ models }: PriceSettings): (provider: string) => string {
  return (provider) => models.providers[provider]?.priceProvider ?? provider;
}

/** Pricing calls anew in an operator's command. Throws what opening the ledger throws. */
export async function withRepriceService<Result>(
  { settings, withLedger }: Installation<PriceSettings>,
  work: (service: RepriceService) => Promise<Result>,
): Promise<Result> {
  return withLedger(async ({ database, clock }: LedgerAccess) =>
    work(
      new RepriceService({
        ledger: new RepriceLedger(database),
        pricer: await bookWithOverrides(settings, database),
        priceProviderOf: priceProviderIn(settings),
        clock,
      }),
    ),
  );
}

/** Explaining what calls cost in an operator's command. Throws what opening the stores throws. */
export async function withCallPrices<Result>(
  { settings, withStores }: Installation<PriceSettings>,
  work: (prices: CallPrices) => Promise<Result>,
): Promise<Result> {
  return withStores(async ({ database, columns }) =>
    work(
      new CallPrices({
        ledger: new RepriceLedger(database),
        exports: new ExportLedger(database),
        columns,
        pricer: await bookWithOverrides(settings, database),
        priceProviderOf: priceProviderIn(settings),
      }),
    ),
  );
}

/** Setting prices in an operator's command. Throws what opening the ledger throws. */
export function withOverrideService<Result>(
  { withLedger }: Installation<PriceSettings>,
  work: (service: OverrideService) => Promise<Result>,
): Promise<Result> {
  return withLedger(({ database, clock }) =>
    work(new OverrideService({ overrides: new PriceOverrides(database), clock })),
  );
}

/** Taking a catalogue in an operator's command. Throws what opening the ledger throws. */
export function withCatalogueRefresh<Result>(
  { withLedger }: Installation<PriceSettings>,
  work: (refresh: CatalogueRefresh) => Promise<Result>,
): Promise<Result> {
  return withLedger(({ database, clock }) =>
    work(new CatalogueRefresh({ catalogues: new PriceCatalogues(database), clock })),
  );
}
