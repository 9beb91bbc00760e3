import { ExportLedger } from '../engine/export/export-ledger.ts';
import type { ErasureOffice } from '../capabilities/erasure/erasure-office.ts';
import { UsageExporter } from '../engine/export/usage-exporter.ts';
import type { Logger } from '../telemetry/logger.ts';
import { metricCatalogue } from '../telemetry/metric-catalogue.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import type { Configuration } from './configuration.ts';
import { erasureOfficeOver } from '../capabilities/erasure/erasure-office-over.ts';
import { withExistingStores } from './operator-stores.ts';
import { openPayloads } from './stores.ts';

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
      return await work(erasureOfficeOver({ database, columns, payloads }, { clock, metrics }));
    } finally {
      await payloads.close();
    }
  });
}
