import { ExportLedger } from '../../engine/export/export-ledger.ts';
import type { ErasureOffice } from './erasure-office.ts';
import { UsageExporter } from '../../engine/export/usage-exporter.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { bareEngineCatalogue } from '../../engine/metrics/engine-metrics.ts';
import { createMetrics } from '../../telemetry/metrics.ts';
import type { Installation } from '../../terminal/installation.ts';
import { erasureOfficeOver } from './erasure-office-over.ts';

/** What it reads of the configuration. */
export interface ErasureSettings {
  readonly ledger: { readonly url?: string | undefined };
}

/**
 * Erasures in an operator's command. Embedded, no relay runs beside it, so what waits for the column store is exported
 * first. Throws what opening the stores throws.
 */
export function withErasureOffice<Result>(
  { settings, withStores }: Installation<ErasureSettings>,
  logger: Logger,
  work: (office: ErasureOffice) => Promise<Result>,
): Promise<Result> {
  return withStores(async ({ database, columns, clock, openPayloads }) => {
    const payloads = await openPayloads();
    try {
      const metrics = createMetrics(bareEngineCatalogue);
      if (settings.ledger.url === undefined) {
        const ledger = new ExportLedger(database);
        await new UsageExporter({ ledger, store: columns, clock, logger, metrics }).drain();
      }
      return await work(erasureOfficeOver({ database, columns, payloads }, { clock, metrics }));
    } finally {
      await payloads.close();
    }
  });
}
