import type { Board } from '../../../dashboards/board.ts';
import { boardUids } from '../../../dashboards/board-links.ts';
import { stat, timeSeries } from '../../../dashboards/charts.ts';
import { worseAbove } from '../../../dashboards/colour-limits.ts';
import { promql } from '../../../dashboards/data-queries.ts';
import { maximum, quantile, sumOfIncreases, sumOfMaxima, sumOfRates } from '../../../dashboards/promql.ts';
import { runColours, scheduleColours } from '../../../dashboards/series-colours.ts';
import { thresholds } from '../../../dashboards/thresholds.ts';

/** Messages that are sent again and again, and those that are to start at a later time. */
export const schedulesBoard: Board = {
  uid: boardUids.schedules,
  title: 'Millrace / Schedules',
  question: 'Do schedules run when they should, what came of their runs, and how much is to start later?',
  range: '24h',
  refresh: '1m',
  variables: [],
  rows: [
    {
      title: 'Do schedules run?',
      panels: [
        stat({
          title: 'Schedules failing',
          description: 'Schedules whose last run could not be admitted. Which they are: millrace schedules.',
          unit: 'locale',
          decimals: 0,
          width: 6,
          limits: worseAbove({ red: 1 }),
          queries: [promql(maximum('schedules', { where: 'state="failing"' }), 'Failing')],
        }),
        stat({
          title: 'Longest overdue',
          description: 'For how long the run that is due longest has not been started.',
          unit: 's',
          width: 6,
          limits: worseAbove({ red: thresholds.schedules.overdueSeconds }),
          queries: [promql(maximum('schedules_overdue_seconds'), 'Overdue')],
        }),
        stat({
          title: 'Times missed in the last hour',
          description:
            'Times of schedules for which nobody was there within a minute, and that are not made up for.',
          unit: 'locale',
          decimals: 0,
          width: 6,
          limits: worseAbove({ amber: 1 }),
          queries: [
            promql(
              `${sumOfIncreases('schedule_runs_total', { where: 'result="missed"', window: '1h' })} or vector(0)`,
              'Missed',
            ),
          ],
        }),
        stat({
          title: 'Messages to start later',
          description:
            'Messages that were sent with a start time or a delay, and wait for it. They are no backlog.',
          unit: 'locale',
          decimals: 0,
          width: 6,
          queries: [
            promql(
              sumOfMaxima('stage_backlog', { labels: ['stage', 'lane'], where: 'state="scheduled"' }),
              'To start later',
            ),
          ],
        }),
        timeSeries({
          title: 'Schedules by state',
          description: 'Schedules with a time to come, paused, failing, and without any time to come.',
          unit: 'short',
          decimals: 0,
          width: 8,
          colours: scheduleColours,
          queries: [promql(maximum('schedules', { by: ['state'] }), '{{state}}')],
        }),
        timeSeries({
          title: 'Runs by what came of them',
          description:
            'Messages admitted; skipped, as the run before was under way; missed; failed, as the message was refused.',
          unit: 'ops',
          width: 8,
          colours: runColours,
          queries: [promql(sumOfRates('schedule_runs_total', { by: ['result'] }), '{{result}}')],
        }),
        timeSeries({
          title: 'Lag of runs',
          description: 'From the time of a run until its message was admitted.',
          unit: 's',
          width: 8,
          queries: [0.5, 0.99].map((share) =>
            promql(quantile(share, 'schedule_lag_seconds'), `p${share * 100}`),
          ),
        }),
      ],
    },
  ],
};
