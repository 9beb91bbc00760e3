import { CorrectionLedger } from '../engine/ledger/correction-ledger.ts';
import { CorrectionOffice } from '../capabilities/corrections/correction-office.ts';
import { readOverlayFile } from '../pricing/overlay.ts';
import { packagedPriceBook } from '../pricing/packaged-price-book.ts';
import type { Configuration } from './configuration.ts';
import { withExistingLedger } from './operator-ledger.ts';

/** Corrections of calls in an operator's command. Throws what withExistingLedger throws. */
export async function withCorrectionOffice<Result>(
  configuration: Configuration,
  work: (office: CorrectionOffice) => Promise<Result>,
): Promise<Result> {
  const { priceOverlay: overlay, providers } = configuration.models;
  const pricer = packagedPriceBook(overlay === undefined ? {} : { overlay: await readOverlayFile(overlay) });
  return withExistingLedger(configuration, (database, { clock }) =>
    work(
      new CorrectionOffice({
        ledger: new CorrectionLedger(database),
        pricer,
        priceProviderOf: (provider) => providers[provider]?.priceProvider ?? provider,
        clock,
      }),
    ),
  );
}
