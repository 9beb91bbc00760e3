import type { MetricCatalogue } from '../telemetry/metric-definition.ts';

/** Fed by the composition root and by the metrics themselves. */
export const processMetrics = <
  const Jobs extends readonly string[],
  const Bounds extends readonly string[],
  const Findings extends readonly string[],
>({
  jobs,
  bounds,
  findings,
}: {
  readonly jobs: Jobs;
  readonly bounds: Bounds;
  readonly findings: Findings;
}) =>
  ({
    build_info: {
      type: 'gauge',
      unit: '1',
      labels: { version: 'open', role: 'open' },
      help: 'Always 1; the version and the role of this process.',
    },
    startup_findings: {
      type: 'gauge',
      unit: 'findings',
      labels: { code: findings },
      help: 'What the start-up checks of this process found, by code; anything above 0 is in its log.',
    },
    clock_offset_seconds: {
      type: 'gauge',
      unit: 'seconds',
      labels: {},
      help: "The ledger's clock less this machine's, as last measured; what is spent and reported goes by the ledger's. Always 0 with an embedded ledger.",
    },
    clock_jumps_total: {
      type: 'counter',
      unit: 'jumps',
      labels: { clock: ['process', 'ledger'] },
      help: "Times a clock was set by half a second or more within a second, as this process saw it: its machine's, or the ledger's.",
    },
    background_failures_total: {
      type: 'counter',
      unit: 'turns',
      labels: { background_job: jobs },
      help: 'Turns of a background job that failed; a process counts the background jobs of its own roles.',
    },
    background_failing_seconds: {
      type: 'gauge',
      unit: 'seconds',
      labels: { background_job: jobs },
      help: 'From the first failed turn of a background job to the latest, with no success in between; 0 when its last turn succeeded.',
    },
    event_loop_lag_seconds: {
      type: 'gauge',
      unit: 'seconds',
      labels: {},
      help: 'How late the event loop came since the last scrape, at its 99th percentile.',
    },
    metric_series: {
      type: 'gauge',
      unit: 'series',
      labels: {},
      help: 'Time series of this process; past the cap new ones fold into "other".',
    },
    bound_used_ratio: {
      type: 'gauge',
      unit: 'ratio',
      labels: { bound: bounds },
      help: 'The most of a bound that was used since the last reading; docs/bounds.md says what happens at each; aggregate with max.',
    },
    http_refused_total: {
      type: 'counter',
      unit: 'requests',
      labels: {
        reason: [
          'concurrency',
          'key_concurrency',
          'body_bytes',
          'key_body_bytes',
          'body_time',
          'aborted',
          'rate',
          'unauthenticated',
        ],
      },
      help: 'Requests that were refused before they were read whole: too many or too many bytes in progress, in all or of one key, too slow, ended by the client, too many of one key in a minute, or no valid key.',
    },
    payload_bytes_total: {
      type: 'counter',
      unit: 'bytes',
      labels: { op: ['put', 'get'] },
      help: 'Bytes written to and read from the payload store.',
    },
    trace_spans_dropped_total: {
      type: 'counter',
      unit: 'spans',
      labels: { reason: ['no_room', 'not_taken'] },
      help: 'Spans that no receiver of traces will show: too many waited, or the receiver was away or refused them.',
    },
    metric_labels_folded_total: {
      type: 'counter',
      unit: 'updates',
      labels: { label: 'open' },
      help: 'Updates whose label value was counted as "other" because of a cap.',
    },
  }) as const satisfies MetricCatalogue;
