import { PriceCatalogues } from '../../engine/ledger/price-catalogues.ts';
import { PriceOverrides } from '../../engine/ledger/price-overrides.ts';
import { RepriceLedger } from '../../engine/ledger/reprice-ledger.ts';
import type { CapabilityContext, CapabilityParts } from '../capability.ts';
import { CallPrices } from './call-price/call-prices.ts';
import { OverrideService } from './overrides/override-service.ts';
import { OverrideWatch } from './overrides/override-watch.ts';
import { RepriceService } from './reprice/reprice-service.ts';

/** Processes follow what operators set within two of these. */
const watchIntervalMs = 1000;

/** Composes what operators do with prices. */
export function openPrices({
  database,
  columns,
  clock,
  logger,
  engine: { pricer, providers, exports },
}: CapabilityContext<unknown>): CapabilityParts<'price_overrides'> {
  const pricing = {
    ledger: new RepriceLedger(database),
    pricer,
    priceProviderOf: (provider: string) => providers.priceProviderOf(provider),
  };
  const overrides = new PriceOverrides(database);
  const watch = new OverrideWatch({
    overrides,
    catalogues: new PriceCatalogues(database),
    book: pricer,
    logger,
  });
  return {
    services: [
      [RepriceService, new RepriceService({ ...pricing, clock })],
      [CallPrices, new CallPrices({ ...pricing, exports, columns })],
      [OverrideService, new OverrideService({ overrides, clock })],
    ],
    jobs: [
      {
        name: 'price_overrides',
        intervalMs: watchIntervalMs,
        runsIn: 'every_process',
        turn: () => watch.look(),
      },
    ],
    beforeWork: async () => {
      await watch.look();
    },
  };
}
