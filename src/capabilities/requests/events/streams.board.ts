import type { Board } from '../../../../dashboards/board.ts';
import { stat, timeSeries } from '../../../../dashboards/charts.ts';
import { worseAbove } from '../../../../dashboards/colour-limits.ts';
import { promql } from '../../../../dashboards/data-queries.ts';
import { quantile, sumOfIncreases, sumOfRates, total } from '../../../../dashboards/promql.ts';

/** Streams of events: how many are open, how they end, how soon text comes. */
export const streamRow: Board['rows'][number] = {
  title: 'What do clients see meanwhile?',
  panels: [
    stat({
      title: 'Streams open',
      description: 'Streams of events that clients read, over all processes.',
      unit: 'locale',
      decimals: 0,
      width: 12,
      queries: [promql(total('request_streams_open'), 'Open')],
    }),
    stat({
      title: 'Events not written in the last hour',
      description:
        'Events that no stream shows because the store of logs was away or too slow. Results are not concerned.',
      unit: 'locale',
      decimals: 0,
      width: 12,
      limits: worseAbove({ amber: 1 }),
      queries: [promql(sumOfIncreases('request_events_dropped_total', { window: '1h' }), 'Not written')],
    }),
    timeSeries({
      title: 'Time to first text',
      description:
        'From when a request was accepted until its first text was sent on a stream that was open.',
      unit: 's',
      width: 12,
      queries: [0.5, 0.95, 0.99].map((share) =>
        promql(quantile(share, 'request_first_text_seconds'), `p${share * 100}`),
      ),
    }),
    timeSeries({
      title: 'Streams ended',
      description:
        'Streams ended a second, by why: "dropped" are readers that took nothing for 30 s, "failed" ended in the middle.',
      unit: 'ops',
      width: 12,
      queries: [promql(sumOfRates('request_streams_ended_total', { by: ['end'] }), '{{end}}')],
    }),
  ],
};
