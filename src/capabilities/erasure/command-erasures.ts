import { ExportLedger } from '../../engine/export/export-ledger.ts';
import type { ErasureService } from './erasure-service.ts';
import { UsageExporter } from '../../engine/export/usage-exporter.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { bareEngineCatalogue } from '../../engine/metrics/engine-metrics.ts';
import { createMetrics } from '../../telemetry/metrics.ts';
import type { Installation } from '../../terminal/installation.ts';
import { erasureServiceOver } from './erasure-service-over.ts';

/** What it reads of the configuration. */
export interface ErasureSettings {
  readonly ledger: { readonly url?: string | undefined };
}

/**
 * Erasures in an operator's command. Embedded, no maintenance process runs beside it, so what waits for the column store is exported
 * first. Throws what opening the stores throws.
 */
export function withErasureService<Result>(
  { settings, withStores }: Installation<ErasureSettings>,
  logger: Logger,
  work: (service: ErasureService) => Promise<Result>,
): Promise<Result> {
  return withStores(async ({ database, columns, clock, openPayloads }) => {
    const payloads = await openPayloads();
    try {
      const metrics = createMetrics(bareEngineCatalogue);
      if (settings.ledger.url === undefined) {
        const ledger = new ExportLedger(database);
        await new UsageExporter({ ledger, store: columns, clock, logger, metrics }).drain();
      }
      return await work(erasureServiceOver({ database, columns, payloads }, { clock, metrics }));
    } finally {
      await payloads.close();
    }
  });
}
