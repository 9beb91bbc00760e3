import { ofModel, ofStage, requestBuckets } from './common-labels.ts';
import type { MetricCatalogue } from './metric-definition.ts';

/** Fed by src/models: the metered model. */
export const modelMetrics = {
  llm_requests_total: {
    type: 'counter',
    unit: 'requests',
    labels: {
      ...ofModel,
      stage: 'open',
      outcome: ['ok', 'error'],
      error_type: [
        '',
        'rate_limited',
        'overloaded',
        'server_error',
        'timeout',
        'network',
        'conflict',
        'bad_request',
        'content_policy',
        'context_too_long',
        'authentication',
        'not_found',
        'malformed_answer',
        'aborted',
        'failed',
      ],
      attempt: ['first', 'retry'],
    },
    help: 'Requests to providers; error_type names the error code, and is empty when the outcome is ok.',
  },
  llm_request_duration_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: { ...ofModel, outcome: ['ok', 'error'] },
    help: 'Time from the request to the end of the answer.',
    buckets: requestBuckets,
  },
  llm_time_to_first_chunk_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: ofModel,
    help: 'Time from the request to the first chunk of a streamed answer.',
    buckets: requestBuckets.slice(0, 13),
  },
  llm_inflight: {
    type: 'gauge',
    unit: 'requests',
    labels: ofModel,
    help: 'Requests of this process that wait for their answer.',
  },
  tokens_total: {
    type: 'counter',
    unit: 'tokens',
    labels: {
      ...ofStage,
      ...ofModel,
      class: [
        'uncached_input',
        'cache_read',
        'cache_write_5m',
        'cache_write_1h',
        'audio_input',
        'image_input',
        'text_output',
        'reasoning',
        'audio_output',
        'image_output',
      ],
    },
    help: 'Tokens by class; the classes are disjoint and add up.',
  },
  cost_usd_total: {
    type: 'counter',
    unit: 'dollars',
    labels: { ...ofStage, ...ofModel },
    help: 'Cost of priced calls, for rates; the money of record is decimal in the ledger.',
  },
  retry_cost_usd_total: {
    type: 'counter',
    unit: 'dollars',
    labels: ofStage,
    help: 'Cost of priced calls that repeat an earlier one at the same place of a step: what failures cost beside the work.',
  },
  calls_reused_total: {
    type: 'counter',
    unit: 'calls',
    labels: { stage: 'open', model: 'open' },
    help: 'Steps answered from a recorded answer without a request.',
  },
  metering_unpriced_events_total: {
    type: 'counter',
    unit: 'calls',
    labels: ofModel,
    help: 'Settled calls for which no price is known.',
  },
} as const satisfies MetricCatalogue;
