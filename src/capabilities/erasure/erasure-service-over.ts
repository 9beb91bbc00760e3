import type { Clock } from '../../kernel/clock.ts';
import { ErasureLedger } from './erasure-ledger.ts';
import { PayloadRemovals } from '../../engine/maintenance/payload-removals.ts';
import { ErasureService } from './erasure-service.ts';
import { PayloadCleaner } from '../../engine/maintenance/payload-cleaner.ts';
import type { EngineMetrics } from '../../engine/metrics/engine-metrics.ts';
import type { CapabilityContext } from '../capability.ts';

/** A payload that was put longer ago belongs to no row that is still being written. */
const untouchedMs = 10 * 60_000;

/** Erasures over open stores. */
export function erasureServiceOver(
  { database, columns, payloads }: Pick<CapabilityContext<unknown>, 'database' | 'columns' | 'payloads'>,
  { clock, metrics }: { readonly clock: Clock; readonly metrics: EngineMetrics },
): ErasureService {
  return new ErasureService({
    ledger: new ErasureLedger({ database, clock }),
    store: columns,
    cleaner: new PayloadCleaner({
      removals: new PayloadRemovals(database),
      payloads,
      clock,
      metrics,
      untouchedMs,
    }),
    clock,
  });
}
