import type { EngineCatalogue } from '../../engine/metrics/engine-metrics.ts';
import type { MetricCatalogue } from '../../telemetry/metric-definition.ts';
import type { Metrics } from '../../telemetry/metrics.ts';

/** Why an endpoint is disabled. */
export const disabledCauses = ['operator', 'gone', 'exhausted'] as const;

/** Fed by what sends, and at a scrape. No label names an endpoint: callers make them. */
export const webhookMetrics = {
  webhook_attempts_total: {
    type: 'counter',
    unit: 'attempts',
    labels: { result: ['delivered', 'failed', 'given_up'] },
    help: 'Requests to webhooks, by what became of them; given_up: the last one of a delivery failed.',
  },
  webhook_endpoints_disabled_total: {
    type: 'counter',
    unit: 'endpoints',
    labels: { cause: ['gone', 'exhausted'] },
    help: 'Endpoints of webhooks that were disabled because of what they answered: 410 (gone), or nothing that counts until a delivery was given up on (exhausted).',
  },
  webhook_endpoints_disabled: {
    type: 'gauge',
    unit: 'endpoints',
    labels: { cause: disabledCauses },
    help: 'Endpoints of webhooks that are disabled, by why, 1000 at most; aggregate with max.',
  },
  webhook_deliveries_waiting: {
    type: 'gauge',
    unit: 'deliveries',
    labels: {},
    help: 'Deliveries to enabled endpoints that were not taken yet, 100 of each of 1000 endpoints at most; aggregate with max.',
  },
  webhook_oldest_waiting_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: {},
    help: 'Time since the oldest delivery to an enabled endpoint was queued that was not taken yet; 0 when there is none.',
  },
} as const satisfies MetricCatalogue;

/** What this capability reports to: its own metrics beside those of the engine. */
export type WebhookMetrics = Metrics<EngineCatalogue & typeof webhookMetrics>;
