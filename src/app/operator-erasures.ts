import { ErasureLedger } from '../ledger/erasure-ledger.ts';
import { ExportLedger } from '../ledger/export-ledger.ts';
import { PayloadRemovals } from '../ledger/payload-removals.ts';
import { ErasureOffice } from '../operations/erasure-office.ts';
import { PayloadCleaner } from '../pipeline/payload-cleaner.ts';
import { UsageExporter } from '../pipeline/usage-exporter.ts';
import type { Logger } from '../telemetry/logger.ts';
import { metricCatalogue } from '../telemetry/metric-catalogue.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import type { Configuration } from './configuration.ts';
import { withExistingStores } from './operator-stores.ts';
import { openPayloads } from './stores.ts';

/** A payload that was put longer ago belongs to no row that is still being written. */
const untouchedMs = 10 * 60_000;

/**
 * Erasures in an operator's command. Embedded, no relay runs beside it, so what waits for the column store is exported
 * first. Throws what withExistingStores throws.
 */
export function withErasureOffice<Result>(
  configuration: Configuration,
  logger: Logger,
  work: (office: ErasureOffice) => Promise<Result>,
): Promise<Result> {
  return withExistingStores(configuration, async ({ database, columns, clock }) => {
    const payloads = await openPayloads(configuration);
    try {
      const metrics = createMetrics(metricCatalogue);
      if (configuration.ledger.url === undefined) {
        const ledger = new ExportLedger(database);
        await new UsageExporter({ ledger, store: columns, clock, logger, metrics }).drain();
      }
      const removals = new PayloadRemovals(database);
      const cleaner = new PayloadCleaner({ removals, payloads, clock, metrics, untouchedMs });
      return await work(
        new ErasureOffice({ ledger: new ErasureLedger({ database, clock }), store: columns, cleaner }),
      );
    } finally {
      await payloads.close();
    }
  });
}
