import type { Board } from '../../../dashboards/board.ts';
import { boardUids } from '../../../dashboards/board-links.ts';
import { stat, timeSeries } from '../../../dashboards/charts.ts';
import { worseAbove } from '../../../dashboards/colour-limits.ts';
import { promql } from '../../../dashboards/data-queries.ts';
import { maximum, quantile, sumOfIncreases, sumOfRates, total } from '../../../dashboards/promql.ts';
import { streamRow } from './events/streams.board.ts';
import { thresholds } from '../../../dashboards/thresholds.ts';

const limits = thresholds.requests;

/** Requests: how many come in, how long they take, and how they end. */
export const requestsBoard: Board = {
  uid: boardUids.requests,
  title: 'Millrace / Requests',
  question: 'Are requests accepted, how long do clients wait for a result, and how do requests end?',
  range: '6h',
  refresh: '30s',
  variables: [],
  rows: [
    {
      title: 'Are they accepted?',
      panels: [
        stat({
          title: 'Requests open',
          description: 'Requests that have not ended; 10,000 are counted at most.',
          unit: 'locale',
          decimals: 0,
          width: 6,
          queries: [promql(maximum('requests_open'), 'Open')],
        }),
        stat({
          title: 'Oldest open request',
          description: 'Time since the oldest request was accepted that has not ended.',
          unit: 's',
          width: 6,
          limits: worseAbove({ amber: limits.oldestSeconds }),
          queries: [promql(maximum('request_oldest_open_seconds'), 'Oldest')],
        }),
        stat({
          title: 'Refused in the last hour',
          description: 'Requests that were refused because too much waits, or because a store was away.',
          unit: 'locale',
          decimals: 0,
          width: 6,
          queries: [
            promql(
              sumOfIncreases('requests_refused_total', {
                where: 'reason=~"backlog|unavailable"',
                window: '1h',
              }),
              'Refused',
            ),
          ],
        }),
        stat({
          title: 'Answers that wait',
          description: 'Answers that are held back until their requests have ended, over all processes.',
          unit: 'locale',
          decimals: 0,
          width: 6,
          queries: [promql(total('request_waits'), 'Waiting')],
        }),
        timeSeries({
          title: 'Accepted',
          description:
            'Requests accepted a second; repeated ones had an Idempotency-Key that stood for a request already.',
          unit: 'reqps',
          width: 12,
          queries: [promql(sumOfRates('requests_accepted_total', { by: ['kind'] }), '{{kind}}')],
        }),
        timeSeries({
          title: 'Refused',
          description: 'Requests refused a second, by why.',
          unit: 'reqps',
          width: 12,
          queries: [promql(sumOfRates('requests_refused_total', { by: ['reason'] }), '{{reason}}')],
        }),
      ],
    },
    {
      title: 'How do they end?',
      panels: [
        timeSeries({
          title: 'Ended',
          description: 'Requests ended a second, by how.',
          unit: 'reqps',
          width: 12,
          queries: [promql(sumOfRates('requests_ended_total', { by: ['end'] }), '{{end}}')],
        }),
        timeSeries({
          title: 'Time to result',
          description: 'From when a request was accepted until its end was recorded.',
          unit: 's',
          width: 12,
          queries: [0.5, 0.95, 0.99].map((share) =>
            promql(
              quantile(share, 'request_duration_seconds', { where: 'end="completed"' }),
              `p${share * 100}`,
            ),
          ),
        }),
      ],
    },
    streamRow,
  ],
};
