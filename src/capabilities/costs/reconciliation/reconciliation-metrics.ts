import type { MetricCatalogue } from '../../../telemetry/metric-definition.ts';

/** Read at a scrape, from what was compared in the last 92 days. */
export const reconciliationMetrics = {
  reconciliation_residual_usd: {
    type: 'gauge',
    unit: 'US dollars',
    labels: { provider: ['openai', 'anthropic', 'openrouter'] },
    help: 'Differences between bills of the provider and the ledger that have no named cause, over the days compared; aggregate with max.',
  },
  reconciliations_open: {
    type: 'gauge',
    unit: 'days',
    labels: { provider: ['openai', 'anthropic', 'openrouter'] },
    help: 'Days of the provider that were compared and have a difference without a named cause; aggregate with max.',
  },
} as const satisfies MetricCatalogue;
