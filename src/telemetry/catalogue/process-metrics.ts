import type { MetricCatalogue } from './metric-definition.ts';

/** Fed by the composition root and by the metrics themselves. */
export const processMetrics = {
  build_info: {
    type: 'gauge',
    unit: '1',
    labels: { version: 'open', role: 'open' },
    help: 'Always 1; the version and the role of this process.',
  },
  metric_series: {
    type: 'gauge',
    unit: 'series',
    labels: {},
    help: 'Time series of this process; past the cap new ones fold into "other".',
  },
  metric_labels_folded_total: {
    type: 'counter',
    unit: 'updates',
    labels: { label: 'open' },
    help: 'Updates whose label value was counted as "other" because of a cap.',
  },
} as const satisfies MetricCatalogue;
