import { CorrectionLedger } from '../../engine/ledger/correction-ledger.ts';
import { PriceCatalogues } from '../../engine/ledger/price-catalogues.ts';
import { catalogueOf, PriceOverrides } from '../../engine/ledger/price-overrides.ts';
import { CorrectionService } from './correction-service.ts';
import { readOverlayFile } from '../../pricing/overlay.ts';
import { packagedPriceBook } from '../../pricing/packaged-price-book.ts';
import type { Installation } from '../../terminal/installation.ts';

/** What it reads of the configuration. */
export interface CorrectionSettings {
  readonly models: {
    readonly priceOverlay?: string | undefined;
    readonly providers: Readonly<Record<string, { readonly priceProvider?: string | undefined }>>;
  };
}

/** Corrections of calls in an operator's command. Throws what opening the ledger throws. */
export async function withCorrectionService<Result>(
  { settings, withLedger }: Installation<CorrectionSettings>,
  work: (service: CorrectionService) => Promise<Result>,
): Promise<Result> {
  const { priceOverlay: overlay, providers } = settings.models;
  return withLedger(async ({ database, clock }) => {
    const overrides = catalogueOf((await new PriceOverrides(database).read()).overrides);
    const catalogue = await new PriceCatalogues(database).present();
    const pricer = packagedPriceBook({
      ...(overlay === undefined ? {} : { overlay: await readOverlayFile(overlay) }),
      ...(overrides === undefined ? {} : { overrides }),
      ...(catalogue === undefined ? {} : { catalogue }),
    });
    return await work(
      new CorrectionService({
        ledger: new CorrectionLedger(database),
        pricer,
        priceProviderOf: (provider) => providers[provider]?.priceProvider ?? provider,
        clock,
      }),
    );
  });
}
