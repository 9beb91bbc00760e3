import { ofStage } from '../../telemetry/common-labels.ts';
import type { MetricCatalogue } from '../../telemetry/metric-definition.ts';

/** Fed by src/engine/pipeline and src/engine/maintenance: publisher, worker, runner, failure policy, sweeper. */
export const pipelineMetrics = <const Reasons extends readonly string[]>(parkReasons: Reasons) =>
  ({
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
      hasExemplars: true,
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
          'lease_expired',
          'invalid_output',
          'error',
        ],
      },
      help: 'Attempts that failed and are tried again later, by reason.',
    },
    messages_parked_total: {
      type: 'counter',
      unit: 'messages',
      labels: { ...ofStage, reason: parkReasons },
      help: 'Messages put aside, without counting an attempt, because they could not go on at the time.',
    },
    queue_wait_seconds: {
      type: 'histogram',
      unit: 'seconds',
      labels: ofStage,
      help: 'Time from when a message was due until a worker leased it; after an expired lease or a release, from the first time.',
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
    stage_backlog: {
      type: 'gauge',
      unit: 'messages',
      labels: {
        ...ofStage,
        lane: ['interactive', 'standard', 'bulk', 'short'],
        state: ['ready', 'delayed', 'parked', 'scheduled', 'leased'],
      },
      help: 'Open messages of the stage: due, put off, set aside, to start at a later time, or under way; every process reports the same, so aggregate with max.',
    },
    stage_backlog_seconds: {
      type: 'gauge',
      unit: 'seconds',
      labels: ofStage,
      help: 'How long what is due takes to drain at the rate of the last three minutes, over all processes; the age of the oldest while nothing ends.',
    },
    stage_drain_slo_seconds: {
      type: 'gauge',
      unit: 'seconds',
      labels: ofStage,
      help: 'How long the backlog of the stage may take to drain, as the stage says.',
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
    dead_letters_total: {
      type: 'counter',
      unit: 'messages',
      labels: {
        ...ofStage,
        reason: [
          'attempts_exhausted',
          'not_retryable',
          'invalid_output',
          'message_invalid',
          'message_unsupported',
          'payload_missing',
          'stalled',
          'wait_expired',
        ],
      },
      help: 'Messages that were given up on, by reason.',
    },
    sweeper_republished_total: {
      type: 'counter',
      unit: 'jobs',
      labels: { reason: ['unpublished', 'expired', 'store_emptied', 'overdue', 'join'] },
      help: 'Notifications of work that the sweeper made up for: of a message that was released or set aside (unpublished) or whose lease expired, of every stage when the queue store was emptied, of a stage whose messages have been due for seconds with none in its queue, or of one whose join had been passed over (join).',
    },
  }) as const satisfies MetricCatalogue;
