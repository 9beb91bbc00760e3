import { CorrectionLedger } from '../../engine/ledger/correction-ledger.ts';
import type { Capability } from '../capability.ts';
import { CallsController } from './calls.controller.ts';
import { CorrectionOffice } from './correction-office.ts';
import { correctionReportSchema, correctionRequestSchema } from './correction-requests.ts';

/** What calls truly used, set by operators. */
export const corrections: Capability<unknown> = {
  name: 'corrections',
  http: {
    controllers: [CallsController],
    services: [CorrectionOffice],
    answers: { CorrectionReport: correctionReportSchema },
    requests: { CorrectionRequest: correctionRequestSchema },
  },
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
