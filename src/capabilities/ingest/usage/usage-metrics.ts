import type { EngineCatalogue } from '../../../engine/metrics/engine-metrics.ts';
import type { MetricCatalogue } from '../../../telemetry/metric-definition.ts';
import type { Metrics } from '../../../telemetry/metrics.ts';

export const toldWays = ['event', 'otlp'] as const;
export const usageOutcomes = ['recorded', 'duplicate', 'refused'] as const;

/** Of usage that happened elsewhere. */
export const usageMetrics = {
  usage_told_total: {
    type: 'counter',
    unit: 'calls',
    labels: { way: toldWays, outcome: usageOutcomes },
    help: 'Calls that happened elsewhere and that the ledger was told of: written, there already, or refused for what was told.',
  },
} as const satisfies MetricCatalogue;

export type UsageMetrics = Metrics<EngineCatalogue & typeof usageMetrics>;
