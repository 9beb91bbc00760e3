import type { MetricCatalogue } from '../src/telemetry/metric-catalogue.ts';

const gauge = { type: 'gauge', unit: '1', help: '' } as const;

/** Metrics that boards show and that the catalogue does not have yet. A panel of one of them is not verified. */
export const awaitedMetrics = {
  bound_used_ratio: { ...gauge, labels: { bound: 'open' } },
  calls_unsettled_oldest_seconds: { ...gauge, labels: {} },
} as const satisfies MetricCatalogue;
