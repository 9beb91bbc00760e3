import { SpendBaseline } from '../capabilities/costs/spend-baseline.ts';
import type { ColumnStore } from '../drivers/column-store/column-store.ts';
import type { Clock } from '../kernel/clock.ts';
import type { MillraceMetrics } from '../telemetry/metrics.ts';
import type { Configuration } from './configuration.ts';

/** A turn of the relay's comparison of spend: by the process that holds the relay, while the others show nothing. */
export function spendBaselineChore(options: {
  readonly configuration: Configuration;
  readonly columns: ColumnStore;
  readonly metrics: MillraceMetrics;
  readonly clock: Clock;
  readonly holdsRelay: () => Promise<boolean>;
}): () => Promise<false> {
  const { configuration, columns: store, metrics, clock, holdsRelay } = options;
  const baseline = new SpendBaseline({ store, metrics, clock, settings: configuration.costs.baseline });
  return async () => {
    if (await holdsRelay()) await baseline.compare();
    else baseline.forget();
    return false;
  };
}
