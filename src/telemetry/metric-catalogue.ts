/*
 * Every metric, as data: code, boards, alert rules and docs/metrics.md all read this one table. Names are
 * without the prefix. A label lists its only values, or is 'open': its values come from configuration or
 * providers and fold into `other` past a cap. A metric stands here only when something feeds it.
 */

/** A label's only values, or 'open'. */
export type LabelValues = readonly string[] | 'open';

interface MetricBasics {
  readonly unit: string;
  readonly labels: Readonly<Record<string, LabelValues>>;
  readonly help: string;
}

export type MetricDefinition = MetricBasics &
  (
    | { readonly type: 'counter' | 'gauge' }
    /** Upper bounds, ascending. */
    | { readonly type: 'histogram'; readonly buckets: readonly number[] }
  );

export type MetricCatalogue = Readonly<Record<string, MetricDefinition>>;

/** Stands before every name on /metrics. */
export const metricPrefix = 'millrace_';

const ofStage = { owner: 'open', stage: 'open' } as const;
const ofModel = { provider: 'open', model: 'open' } as const;
const requestBuckets = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68,
] as const;

/** Fed by the composition root and by the metrics themselves. */
const processMetrics = {
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

/** Fed by src/pipeline: publisher, worker, runner, failure policy, sweeper; and by src/operations. */
const pipelineMetrics = {
  stage_enqueued_total: {
    type: 'counter',
    unit: 'messages',
    labels: ofStage,
    help: 'Messages admitted to or emitted for the stage.',
  },
  stage_messages_total: {
    type: 'counter',
    unit: 'messages',
    labels: { ...ofStage, outcome: ['success', 'failed', 'dead_lettered', 'skipped'] },
    help: 'Messages that ended in the stage, by outcome; a cancelled one is skipped.',
  },
  stage_duration_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: { ...ofStage, outcome: ['success', 'failure'] },
    help: 'Time from lease to finish of one attempt.',
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600],
  },
  stage_retries_total: {
    type: 'counter',
    unit: 'attempts',
    labels: {
      ...ofStage,
      reason: [
        'rate_limited',
        'timeout',
        'provider_error',
        'network',
        'store_unavailable',
        'lease_lost',
        'error',
      ],
    },
    help: 'Attempts that failed and are tried again later, by reason.',
  },
  queue_wait_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: ofStage,
    help: 'Time from when a message was due until a worker leased it.',
    buckets: [0.01, 0.1, 0.5, 1, 5, 15, 30, 60, 300, 900, 3600, 14400, 86400],
  },
  message_age_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: ofStage,
    help: 'Time from the admission of the root message to the end of a message in a terminal stage.',
    buckets: [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 14400, 43200, 86400],
  },
  queue_jobs: {
    type: 'gauge',
    unit: 'jobs',
    labels: { ...ofStage, state: ['waiting', 'delayed', 'active'] },
    help: 'Jobs in the queue of the stage; every process reports the same, so aggregate with max.',
  },
  queue_oldest_waiting_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: ofStage,
    help: 'How long the message that is due longest has waited.',
  },
  worker_active: {
    type: 'gauge',
    unit: 'messages',
    labels: ofStage,
    help: 'Messages that this process is handling.',
  },
  worker_concurrency: {
    type: 'gauge',
    unit: 'messages',
    labels: ofStage,
    help: 'Messages that this process may handle at once.',
  },
  dlq_messages_total: {
    type: 'counter',
    unit: 'messages',
    labels: {
      ...ofStage,
      reason: [
        'attempts_exhausted',
        'not_retryable',
        'message_invalid',
        'message_unsupported',
        'payload_missing',
      ],
    },
    help: 'Messages that were given up on, by reason.',
  },
  dlq_actions_total: {
    type: 'counter',
    unit: 'messages',
    labels: { ...ofStage, action: ['replayed', 'discarded'] },
    help: 'Dead letters that operators replayed or discarded through this process; the audit has all of them.',
  },
  dlq_depth: {
    type: 'gauge',
    unit: 'messages',
    labels: ofStage,
    help: 'Dead letters that are neither replayed nor discarded; aggregate with max.',
  },
  dlq_oldest_age_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: ofStage,
    help: 'Age of the oldest dead letter that is not discarded; 0 when there is none.',
  },
  step_diverged_total: {
    type: 'counter',
    unit: 'calls',
    labels: { stage: 'open' },
    help: 'Recorded answers that were not reused because the request of their step had changed.',
  },
  sweeper_republished_total: {
    type: 'counter',
    unit: 'jobs',
    labels: { reason: ['unpublished', 'expired', 'store_emptied'] },
    help: 'Jobs that the sweeper added again: never published, lease expired, or the queue store was emptied.',
  },
} as const satisfies MetricCatalogue;

/** Fed by src/models: the metered model. */
const modelMetrics = {
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

/** Fed by src/ledger: group commit, leases, counts that the relay takes. */
const ledgerMetrics = {
  ledger_group_commit_size: {
    type: 'histogram',
    unit: 'entries',
    labels: { operation: ['admit', 'lease', 'renew', 'reserve', 'settle', 'finish', 'fail'] },
    help: 'Entries that shared one transaction.',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
  },
  ledger_group_commit_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: { operation: ['admit', 'lease', 'renew', 'reserve', 'settle', 'finish', 'fail'] },
    help: 'Time of one shared transaction.',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
  lease_lost_total: {
    type: 'counter',
    unit: 'leases',
    labels: {},
    help: 'Leases that passed on, or could not be renewed in time, while their handler ran.',
  },
  calls_unsettled: {
    type: 'gauge',
    unit: 'calls',
    labels: {},
    help: 'Calls whose outcome is unknown and that carry an upper-bound cost; aggregate with max.',
  },
  origin_coverage_ratio: {
    type: 'gauge',
    unit: 'ratio',
    labels: {},
    help: 'Share of calls and messages with a complete origin; anything under 1 is a fault.',
  },
} as const satisfies MetricCatalogue;

/** Fed by src/usage: the exporter; and by the payload store's wrapper in src/app. */
const usageMetrics = {
  metering_events_total: {
    type: 'counter',
    unit: 'records',
    labels: { result: ['accepted', 'flushed', 'retried', 'dropped'] },
    help: 'Usage records: taken up, acknowledged by the column store, tried again, lost.',
  },
  export_batches_total: {
    type: 'counter',
    unit: 'batches',
    labels: { table: 'open', result: ['inserted', 'already_there', 'failed'] },
    help: 'Export batches; already_there was found in the column store after an uncertain insert.',
  },
  export_lag_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: {},
    help: 'Age of the oldest settled call that has not reached the column store; aggregate with max.',
  },
  export_pending_records: {
    type: 'gauge',
    unit: 'records',
    labels: {},
    help: 'Settled calls that have not reached the column store; aggregate with max.',
  },
  payload_bytes_total: {
    type: 'counter',
    unit: 'bytes',
    labels: { op: ['put', 'get'] },
    help: 'Bytes written to and read from the payload store.',
  },
} as const satisfies MetricCatalogue;

/** Every metric by its name without the prefix. */
export const metricCatalogue = {
  ...processMetrics,
  ...pipelineMetrics,
  ...modelMetrics,
  ...ledgerMetrics,
  ...usageMetrics,
} as const satisfies MetricCatalogue;
