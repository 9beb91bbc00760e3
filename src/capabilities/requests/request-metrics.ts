import type { EngineCatalogue } from '../../engine/metrics/engine-metrics.ts';
import type { MetricCatalogue } from '../../telemetry/metric-definition.ts';
import { streamMetrics } from './events/stream-metrics.ts';
import type { Metrics } from '../../telemetry/metrics.ts';

/** How requests end, as the metrics name it. */
const ends = ['completed', 'failed', 'cancelled'] as const;

/** Fed by the intake, by what records the ends of requests, and at a scrape. No label names a pipeline: nothing bounds their names. */
export const requestMetrics = {
  requests_accepted_total: {
    type: 'counter',
    unit: 'requests',
    labels: { kind: ['new', 'repeated'] },
    help: 'Requests to pipelines that this process accepted; repeated: its Idempotency-Key stood for it already.',
  },
  requests_refused_total: {
    type: 'counter',
    unit: 'requests',
    labels: { reason: ['invalid', 'too_large', 'key_reused', 'budget', 'backlog', 'unavailable', 'other'] },
    help: 'Requests to pipelines that this process refused, by why. What the door refuses before that is in http_refused_total.',
  },
  requests_ended_total: {
    type: 'counter',
    unit: 'requests',
    labels: { end: ends },
    help: 'Requests whose end this process recorded.',
  },
  request_duration_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: { end: ends },
    help: 'From when a request was accepted until its end was recorded.',
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200],
  },
  requests_open: {
    type: 'gauge',
    unit: 'requests',
    labels: {},
    help: 'Requests that have not ended, 10000 at most; aggregate with max.',
  },
  request_oldest_open_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: {},
    help: 'Time since the oldest request was accepted that has not ended; 0 when there is none; aggregate with max.',
  },
  request_waits: {
    type: 'gauge',
    unit: 'requests',
    labels: {},
    help: 'Answers of this process that wait for the end of a request.',
  },
  ...streamMetrics,
} as const satisfies MetricCatalogue;

/** What this capability reports to: its own metrics beside those of the engine. */
export type RequestMetrics = Metrics<EngineCatalogue & typeof requestMetrics>;
