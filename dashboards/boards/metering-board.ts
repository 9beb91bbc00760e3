import { reconciliationPanels } from '../../src/capabilities/costs/reconciliation/reconciliation.board.ts';
import { closedNames } from '../../src/host/closed-names.ts';
import type { Board } from '../board.ts';
import { boardUids } from '../board-links.ts';
import { barGauge, stat, timeSeries } from '../charts.ts';
import { worseAbove, worseBelow } from '../colour-limits.ts';
import { promql, sql } from '../data-queries.ts';
import { maximum, minimum, quantile, sumOfIncreases, sumOfRates } from '../promql.ts';
import { meteringColours, payloadColours, settlementColours, sweepColours } from '../series-colours.ts';
import { thresholds } from '../thresholds.ts';

const lag = worseAbove({ red: thresholds.metering.lagSeconds });
const bound = worseAbove({
  amber: thresholds.process.boundNearRatio,
  red: thresholds.process.boundReachedRatio,
});
const jobFailing = worseAbove({ red: thresholds.process.jobFailingSeconds });
const ours = 'job=~"millrace.*"';

export const meteringBoard: Board = {
  uid: boardUids.metering,
  title: 'Millrace / Metering health',
  question: 'Can I trust the figures, and is the host itself in good health?',
  range: '6h',
  refresh: '30s',
  variables: [],
  rows: [
    {
      title: 'Are the figures complete?',
      panels: [
        stat({
          title: 'Origin coverage',
          description: 'Share of calls and messages with a complete origin. Anything under 100 % is a fault.',
          unit: 'percentunit',
          decimals: 2,
          width: 4,
          limits: worseBelow({ red: thresholds.metering.originCoverageRatio }),
          queries: [promql(minimum('origin_coverage_ratio'), 'Coverage')],
        }),
        stat({
          title: 'Export lag',
          description: 'Age of the oldest settled call that has not reached ClickHouse.',
          unit: 's',
          width: 4,
          hasCourse: true,
          limits: lag,
          queries: [promql(maximum('export_lag_seconds'), 'Lag')],
        }),
        stat({
          title: 'Newest usage record',
          description:
            'Age of the newest usage record in ClickHouse. It grows when nothing is called, or nothing arrives.',
          unit: 's',
          width: 4,
          queries: [sql(`SELECT dateDiff('second', max(inserted_at), now64(3)) AS age FROM millrace.usage`)],
        }),
        stat({
          title: 'Unsettled calls',
          description: 'Calls whose outcome is unknown. They carry an upper bound until they are reconciled.',
          unit: 'locale',
          decimals: 0,
          width: 4,
          queries: [promql(maximum('calls_unsettled'), 'Unsettled')],
        }),
        stat({
          title: 'Oldest unsettled',
          description: 'How long the oldest call of unknown outcome has waited to be reconciled.',
          unit: 's',
          width: 4,
          limits: worseAbove({ amber: thresholds.metering.unsettledAgeSeconds }),
          queries: [promql(maximum('calls_unsettled_oldest_seconds'), 'Oldest')],
        }),
        stat({
          title: 'Records lost',
          description: 'Usage records that were dropped in the time range. There must be none.',
          unit: 'locale',
          decimals: 0,
          width: 4,
          limits: worseAbove({ red: 1 }),
          queries: [
            promql(
              sumOfIncreases('metering_events_total', { where: 'result="dropped"', window: '$__range' }),
              'Lost',
            ),
          ],
        }),
        reconciliationPanels.residual,
        reconciliationPanels.openDays,
        timeSeries({
          title: 'Records not exported yet',
          description:
            'Settled calls that wait in the ledger for ClickHouse. While it is away they wait; none is lost.',
          unit: 'short',
          decimals: 0,
          width: 8,
          queries: [promql(maximum('export_pending_records'), 'pending')],
        }),
        timeSeries({
          title: 'Usage records by result',
          description: 'Records taken up, acknowledged, tried again and lost, each second.',
          unit: 'recps',
          width: 8,
          colours: meteringColours,
          queries: [promql(sumOfRates('metering_events_total', { by: ['result'] }), '{{result}}')],
        }),
        timeSeries({
          title: 'Export batches',
          description:
            'Inserts into ClickHouse each second. "Already there" was found after an uncertain insert.',
          unit: 'ops',
          width: 8,
          queries: [
            promql(sumOfRates('export_batches_total', { by: ['table', 'result'] }), '{{table}}: {{result}}'),
          ],
        }),
        timeSeries({
          title: 'Unpriced and suspect calls by model',
          description:
            'Calls each second without a known price, and those whose reported usage cannot be true.',
          unit: 'reqps',
          width: 12,
          queries: [
            promql(sumOfRates('metering_unpriced_events_total', { by: ['provider', 'model'] }), '{{model}}'),
            promql(
              sumOfRates('metering_suspect_usage_total', { by: ['provider', 'model'] }),
              '{{model}}: suspect',
            ),
          ],
        }),
        timeSeries({
          title: 'How usage is known',
          description:
            'Calls in each interval whose usage the provider reported, that we estimated, or that are open.',
          unit: 'short',
          width: 12,
          draw: 'bars',
          isStacked: true,
          colours: settlementColours,
          queries: [
            sql(
              `SELECT $__timeInterval(ts) AS time, toString(settlement) AS known_as, sum(calls) AS calls_made FROM millrace.usage WHERE $__timeFilter(ts) GROUP BY time, known_as ORDER BY time, known_as`,
            ),
          ],
        }),
      ],
    },
    {
      title: 'Is the ledger healthy?',
      panels: [
        timeSeries({
          title: 'Group commit, p95',
          description: 'Time of one shared transaction, by what it does.',
          unit: 's',
          width: 8,
          queries: [
            promql(quantile(0.95, 'ledger_group_commit_seconds', { by: ['operation'] }), '{{operation}}'),
          ],
        }),
        timeSeries({
          title: 'Entries per commit',
          description:
            'How many entries shared a transaction on average. It rises with the load, which is the point of it.',
          unit: 'short',
          width: 8,
          queries: [
            promql(
              'sum by (operation) (rate(millrace_ledger_group_commit_size_sum[$__rate_interval])) / sum by (operation) (rate(millrace_ledger_group_commit_size_count[$__rate_interval]))',
              '{{operation}}',
            ),
          ],
        }),
        timeSeries({
          title: 'Expired leases and jobs added again',
          description:
            'Leases that passed on while a handler ran, and jobs that the sweeper added again, by why.',
          unit: 'ops',
          width: 8,
          colours: sweepColours,
          queries: [
            promql(sumOfRates('lease_expired_total'), 'lease expired'),
            promql(sumOfRates('sweeper_republished_total', { by: ['reason'] }), 'again: {{reason}}'),
          ],
        }),
      ],
    },
    {
      title: 'Do the background jobs succeed?',
      panels: [
        timeSeries({
          title: 'Background jobs failing for',
          description:
            'How long a background job has failed with no success in between: sweep, export, releases and the like. 0 when its last turn succeeded.',
          unit: 's',
          width: 12,
          limits: jobFailing,
          queries: [
            promql(maximum('background_failing_seconds'), 'the longest'),
            promql(
              `${maximum('background_failing_seconds', { by: ['background_job'] })} > 0`,
              '{{background_job}}',
            ),
          ],
        }),
        timeSeries({
          title: 'Failed turns of background jobs',
          description: 'Turns that failed each second. A few are normal during an outage; the log says why.',
          unit: 'ops',
          width: 12,
          queries: [
            promql(sumOfRates('background_failures_total'), 'all background jobs'),
            promql(
              `${sumOfRates('background_failures_total', { by: ['background_job'] })} > 0`,
              '{{background_job}}',
            ),
          ],
        }),
      ],
    },
    {
      title: 'How near are the bounds?',
      panels: [
        barGauge({
          title: 'Bounds used',
          description:
            'Every bounded queue, buffer and label set by how full it is; blue ones are there to be full under load. What happens at each is in docs/bounds.md.',
          unit: 'percentunit',
          decimals: 1,
          width: 8,
          height: 10,
          min: 0,
          max: 1,
          limits: bound,
          unjudged: closedNames.boundsFullUnderLoad,
          queries: [promql(`sort_desc(${maximum('bound_used_ratio', { by: ['bound'] })})`, '{{bound}}')],
        }),
        timeSeries({
          title: 'Time series',
          description: 'Series that each process exposes. Past its cap, new label values count as "other".',
          unit: 'short',
          width: 8,
          height: 10,
          queries: [promql(maximum('metric_series', { by: ['instance'] }), '{{instance}}')],
        }),
        timeSeries({
          title: 'Labels folded, spans dropped',
          description:
            'Updates each second whose label value was past its cap and counts as "other", with the labels that it happens to; and spans that no receiver of traces took. Normal is none.',
          unit: 'ops',
          width: 8,
          height: 10,
          queries: [
            promql(sumOfRates('metric_labels_folded_total'), 'all labels'),
            promql(`${sumOfRates('metric_labels_folded_total', { by: ['label'] })} > 0`, '{{label}}'),
            promql(sumOfRates('trace_spans_dropped_total'), 'spans'),
          ],
        }),
        timeSeries({
          title: 'Requests refused at the API',
          description:
            'Requests each second that were refused before they were read: too many or too large at once, too many of one key, or without a valid key. Normal is none.',
          unit: 'ops',
          width: 24,
          queries: [promql(sumOfRates('http_refused_total', { by: ['reason'] }), '{{reason}}')],
        }),
        timeSeries({
          title: 'Clocks',
          description:
            'How far the clock of each machine is behind the ledger’s (below zero: ahead of it), and how often a clock was set. Budgets and reports go by the ledger’s.',
          unit: 's',
          width: 24,
          queries: [
            promql(maximum('clock_offset_seconds', { by: ['instance'] }), '{{instance}}'),
            promql(`${sumOfIncreases('clock_jumps_total', { by: ['clock'] })} > 0`, 'jumps of the {{clock}}'),
          ],
        }),
        timeSeries({
          title: 'Event loop lag',
          description:
            'How long the event loop of each process keeps others waiting. Leases are renewed on it.',
          unit: 's',
          width: 6,
          limits: worseAbove({
            amber: thresholds.process.eventLoopLagSeconds,
            red: thresholds.process.eventLoopLagOutageSeconds,
          }),
          queries: [promql(maximum('event_loop_lag_seconds', { by: ['instance'] }), '{{instance}}')],
        }),
        timeSeries({
          title: 'Processor',
          description: 'Processor time that each process takes; 100 % is one core.',
          unit: 'percentunit',
          width: 6,
          queries: [
            promql(
              `sum by (instance) (rate(process_cpu_seconds_total{${ours}}[$__rate_interval]))`,
              '{{instance}}',
            ),
          ],
        }),
        timeSeries({
          title: 'Memory',
          description: 'Resident memory of each process.',
          unit: 'bytes',
          width: 6,
          queries: [promql(`max by (instance) (process_resident_memory_bytes{${ours}})`, '{{instance}}')],
        }),
        timeSeries({
          title: 'Payload traffic',
          description: 'Bytes written to and read from the payload store, each second.',
          unit: 'Bps',
          width: 6,
          colours: payloadColours,
          queries: [promql(sumOfRates('payload_bytes_total', { by: ['op'] }), '{{op}}')],
        }),
      ],
    },
  ],
};
