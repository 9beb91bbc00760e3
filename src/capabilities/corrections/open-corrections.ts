import { CorrectionLedger } from '../../engine/ledger/correction-ledger.ts';
import type { CapabilityContext, CapabilityParts } from '../capability.ts';
import { CorrectionService } from './correction-service.ts';

/** Composes the corrections of calls. */
export function openCorrections({
  database,
  clock,
  engine: { pricer, providers },
}: CapabilityContext<unknown>): CapabilityParts {
  const service = new CorrectionService({
    ledger: new CorrectionLedger(database),
    pricer,
    priceProviderOf: (provider) => providers.priceProviderOf(provider),
    clock,
  });
  return { services: [[CorrectionService, service]] };
}
