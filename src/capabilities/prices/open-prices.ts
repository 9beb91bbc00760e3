import { RepriceLedger } from '../../engine/ledger/reprice-ledger.ts';
import type { CapabilityContext, CapabilityParts } from '../capability.ts';
import { RepriceService } from './reprice/reprice-service.ts';

/** Composes what operators do with prices. */
export function openPrices({
  database,
  clock,
  engine: { pricer, providers },
}: CapabilityContext<unknown>): CapabilityParts {
  const reprices = new RepriceService({
    ledger: new RepriceLedger(database),
    pricer,
    priceProviderOf: (provider) => providers.priceProviderOf(provider),
    clock,
  });
  return { services: [[RepriceService, reprices]] };
}
