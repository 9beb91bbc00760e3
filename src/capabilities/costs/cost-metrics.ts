import type { EngineCatalogue } from '../../engine/metrics/engine-metrics.ts';
import type { MetricCatalogue } from '../../telemetry/metric-definition.ts';
import type { Metrics } from '../../telemetry/metrics.ts';

/** Fed by the baseline of spend. */
export const costMetrics = {
  spend_over_baseline_ratio: {
    type: 'gauge',
    unit: 'ratio',
    labels: { dimension: ['team', 'customer', 'feature'], name: 'open' },
    help: 'Spend as a multiple of the usual at this time of day, of the 20 names of each dimension with the highest; set by the maintenance role, aggregate with max.',
  },
} as const satisfies MetricCatalogue;

/** What this capability reports to: its own metrics beside those of the engine. */
export type CostMetrics = Metrics<EngineCatalogue & typeof costMetrics>;
