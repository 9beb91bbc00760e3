import { CorrectionLedger } from '../../engine/ledger/correction-ledger.ts';
import type { Capability } from '../capability.ts';
import { CorrectionOffice } from './correction-office.ts';

/** What calls truly used, set by operators. */
export const corrections: Capability<unknown> = {
  name: 'corrections',
  http: async () => (await import('./corrections.http.ts')).httpPart,
  open: ({ database, clock, engine: { pricer, providers } }) => {
    const office = new CorrectionOffice({
      ledger: new CorrectionLedger(database),
      pricer,
      priceProviderOf: (provider) => providers.priceProviderOf(provider),
      clock,
    });
    return { services: [[CorrectionOffice, office]] };
  },
};
