import { ofModel } from '../../telemetry/common-labels.ts';
import type { EngineCatalogue } from '../../engine/metrics/engine-metrics.ts';
import type { MetricCatalogue } from '../../telemetry/metric-definition.ts';
import type { Metrics } from '../../telemetry/metrics.ts';

/** Fed by the gates before requests to models. */
export const limitMetrics = {
  llm_circuit_state: {
    type: 'gauge',
    unit: '1',
    labels: { ...ofModel, state: ['closed', 'half_open', 'open'] },
    help: 'Is 1 for the state that the circuit of a model is in; every process reports the same, so aggregate with max.',
  },
  llm_retry_budget_used_ratio: {
    type: 'gauge',
    unit: 'ratio',
    labels: ofModel,
    help: 'Retries of a model over those that its budget permits at the moment; aggregate with max.',
  },
  llm_limit_per_minute: {
    type: 'gauge',
    unit: 'requests or tokens',
    labels: { ...ofModel, kind: ['requests', 'tokens'] },
    help: 'The limit in force, the lower one of what is configured and what the provider names; aggregate with max.',
  },
  llm_limit_remaining: {
    type: 'gauge',
    unit: 'requests or tokens',
    labels: { ...ofModel, kind: ['requests', 'tokens'] },
    help: 'What is left of the limit for all processes together, as this one last saw it; aggregate with min.',
  },
  llm_limit_wait_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: ofModel,
    help: 'How long requests to models with a limit waited for it; those put aside are in messages_parked_total.',
    buckets: [0.005, 0.02, 0.1, 0.5, 1, 2, 3, 5],
  },
} as const satisfies MetricCatalogue;

/** What this capability reports to: its own metrics beside those of the engine. */
export type LimitMetrics = Metrics<EngineCatalogue & typeof limitMetrics>;
