import { CorrectionLedger } from '../../engine/ledger/correction-ledger.ts';
import { presentPriceBook } from '../../engine/ledger/present-price-book.ts';
import { CorrectionService } from './correction-service.ts';
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
    const pricer = await presentPriceBook(database, overlay);
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
