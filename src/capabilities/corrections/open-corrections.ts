import { CorrectionLedger } from '../../engine/ledger/correction-ledger.ts';
import type { CapabilityContext, CapabilityParts } from '../capability.ts';
import { CorrectionOffice } from './correction-office.ts';

/** Composes the corrections of calls. */
export function openCorrections({
  database,
  clock,
  engine: { pricer, providers },
}: CapabilityContext<unknown>): CapabilityParts {
  const office = new CorrectionOffice({
    ledger: new CorrectionLedger(database),
    pricer,
    priceProviderOf: (provider) => providers.priceProviderOf(provider),
    clock,
  });
  return { services: [[CorrectionOffice, office]] };
}
