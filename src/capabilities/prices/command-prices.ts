import { RepriceLedger } from '../../engine/ledger/reprice-ledger.ts';
import { readOverlayFile } from '../../pricing/overlay.ts';
import { packagedPriceBook } from '../../pricing/packaged-price-book.ts';
import type { PriceBook } from '../../pricing/price-book.ts';
import type { Installation, LedgerAccess } from '../../terminal/installation.ts';
import { RepriceService } from './reprice/reprice-service.ts';

/** What commands about prices read of the configuration. */
export interface PriceSettings {
  readonly models: {
    readonly priceOverlay?: string | undefined;
    readonly providers: Readonly<Record<string, { readonly priceProvider?: string | undefined }>>;
  };
}

/** The price book of an installation, and what of it is one's own. Throws MILLRACE_PRICE_OVERLAY_INVALID. */
export async function bookOf({ models: { priceOverlay } }: PriceSettings) {
  const overlay = priceOverlay === undefined ? undefined : await readOverlayFile(priceOverlay);
  const book: PriceBook = packagedPriceBook(overlay === undefined ? {} : { overlay });
  return { book, overlay };
}

/** Whose prices a provider follows by the configuration. */
export function priceProviderIn({ models }: PriceSettings): (provider: string) => string {
  return (provider) => models.providers[provider]?.priceProvider ?? provider;
}

/** Pricing calls anew in an operator's command. Throws what opening the ledger throws. */
export async function withRepriceService<Result>(
  { settings, withLedger }: Installation<PriceSettings>,
  work: (service: RepriceService) => Promise<Result>,
): Promise<Result> {
  const { book } = await bookOf(settings);
  return withLedger(({ database, clock }: LedgerAccess) =>
    work(
      new RepriceService({
        ledger: new RepriceLedger(database),
        pricer: book,
        priceProviderOf: priceProviderIn(settings),
        clock,
      }),
    ),
  );
}
