import type { Board } from '../../../dashboards/board.ts';
import { boardUids, rowLink } from '../../../dashboards/board-links.ts';
import { barGauge, stat, timeSeries } from '../../../dashboards/charts.ts';
import { worseAbove } from '../../../dashboards/colour-limits.ts';
import { spendSums } from '../../engine/export/spend-sums.ts';
import { promql, sql } from '../../../dashboards/data-queries.ts';
import { maximum, ofStage, sumOfIncreases, sumOfMaxima } from '../../../dashboards/promql.ts';
import { sqlTable } from '../../../dashboards/tables.ts';
import { actionColours, deathColours } from '../../../dashboards/series-colours.ts';
import { thresholds } from '../../../dashboards/thresholds.ts';
import { chosen, stageVariables } from '../../../dashboards/variables.ts';

const perHour = worseAbove({
  amber: thresholds.deadLetters.suspiciousPerHour,
  red: thresholds.deadLetters.outagePerHour,
});
const died = `$__timeFilter(ts) AND outcome = 'dead_lettered' AND ${chosen(['stage'])}`;

/** Dead letters: how many, whose, and what operators do about them. */
export const deadLettersBoard: Board = {
  uid: boardUids.deadLetters,
  title: 'Millrace / Dead letters',
  question: 'What was given up on, why, who is affected, and is anybody replaying it?',
  range: '24h',
  refresh: '30s',
  variables: stageVariables,
  rows: [
    {
      title: 'How bad is it?',
      panels: [
        stat({
          title: 'Dead letters now',
          description: 'Dead letters that nobody has replayed or discarded.',
          unit: 'locale',
          decimals: 0,
          width: 6,
          hasCourse: true,
          queries: [
            promql(
              sumOfMaxima('dead_letters', { labels: ['owner', 'stage'], where: ofStage }),
              'Dead letters',
            ),
          ],
        }),
        stat({
          title: 'Dead-lettered in the last hour',
          description: 'More than a few an hour is suspicious, hundreds are an outage.',
          unit: 'locale',
          decimals: 0,
          width: 6,
          limits: perHour,
          queries: [promql(sumOfIncreases('dead_letters_total', { where: ofStage, window: '1h' }), 'Died')],
        }),
        stat({
          title: 'Oldest',
          description: 'Age of the oldest dead letter that nobody has decided on.',
          unit: 's',
          width: 6,
          limits: worseAbove({ amber: thresholds.deadLetters.undrainedAgeSeconds }),
          queries: [promql(maximum('dead_letters_oldest_age_seconds', { where: ofStage }), 'Oldest')],
        }),
        stat({
          title: 'Spent on dead letters',
          description:
            'Cost of the calls of messages that were dead-lettered in the time range. A replay reuses the answers that were recorded.',
          unit: 'currencyUSD',
          width: 6,
          queries: [
            sql(`
              SELECT ${spendSums.cost} AS spend FROM millrace.usage
              WHERE message_id IN (SELECT message_id FROM millrace.message_outcomes WHERE ${died})
            `),
          ],
        }),
        timeSeries({
          title: 'Dead letters by stage',
          description: 'Dead letters that wait for a decision.',
          unit: 'short',
          decimals: 0,
          width: 8,
          queries: [promql(maximum('dead_letters', { by: ['stage'], where: ofStage }), '{{stage}}')],
        }),
        timeSeries({
          title: 'Dead-lettered within an hour',
          description: 'Arrivals of the last hour at each moment, with the limits of the alerts.',
          unit: 'short',
          decimals: 0,
          width: 8,
          limits: perHour,
          queries: [
            promql(
              sumOfIncreases('dead_letters_total', { by: ['stage'], where: ofStage, window: '1h' }),
              '{{stage}}',
            ),
          ],
        }),
        timeSeries({
          title: 'Replayed and discarded',
          description:
            'What operators did through the API, within the hour before each moment. Commands are in the audit only.',
          unit: 'short',
          decimals: 0,
          width: 8,
          colours: actionColours,
          queries: [
            promql(
              sumOfIncreases('dead_letter_actions_total', { by: ['action'], where: ofStage, window: '1h' }),
              '{{action}}',
            ),
          ],
        }),
      ],
    },
    {
      title: 'Why did they fail, and whose are they?',
      panels: [
        timeSeries({
          title: 'Dead-lettered within an hour, by reason',
          description: 'Messages given up on in the hour before each moment, by why.',
          unit: 'short',
          decimals: 0,
          width: 8,
          draw: 'areas',
          isStacked: true,
          colours: deathColours,
          queries: [
            promql(
              `${sumOfIncreases('dead_letters_total', { by: ['reason'], where: ofStage, window: '1h' })} > 0`,
              '{{reason}}',
            ),
          ],
        }),
        barGauge({
          title: 'By error',
          description:
            'The error that ended them, by how often. Each code is explained in docs/errors.md, with MILLRACE_ in front.',
          unit: 'short',
          decimals: 0,
          width: 7,
          min: 0,
          isPerRow: true,
          queries: [
            sql(`
              SELECT replaceOne(error_code, 'MILLRACE_', '') AS error, count() AS dead_letters FROM millrace.message_outcomes
              WHERE ${died} GROUP BY error ORDER BY dead_letters DESC, error LIMIT 10
            `),
          ],
        }),
        sqlTable({
          title: 'Affected origins',
          description: 'Dead letters by team, customer and feature, with the time of the latest.',
          unit: 'short',
          width: 9,
          query: sql(`
            SELECT team, customer, feature, count() AS dead_letters, max(ts) AS latest
            FROM millrace.message_outcomes WHERE ${died}
            GROUP BY team, customer, feature ORDER BY dead_letters DESC, latest DESC, team, customer, feature LIMIT 50
          `),
          columns: [
            {
              name: 'team',
              title: 'Team',
              width: 100,
              link: rowLink('Show its costs', 'cost', { team: 'team' }),
            },
            {
              name: 'customer',
              title: 'Customer',
              width: 100,
              link: rowLink('Show its costs', 'cost', { customer: 'customer' }),
            },
            { name: 'feature', title: 'Feature' },
            { name: 'dead_letters', title: 'Count', unit: 'locale', decimals: 0, width: 50 },
            { name: 'latest', title: 'Last', unit: 'dateTimeAsIso', width: 140 },
          ],
        }),
        sqlTable({
          title: 'Latest dead letters',
          description:
            'The newest first. `millrace dead-letters show` with the message id tells everything about one.',
          unit: 'short',
          width: 24,
          height: 10,
          query: sql(`
            SELECT ts AS died, stage, team, customer, feature,
              replaceOne(error_code, 'MILLRACE_', '') AS error, attempts, toString(message_id) AS message, trace_id
            FROM millrace.message_outcomes WHERE ${died} ORDER BY died DESC, message_id LIMIT 100
          `),
          columns: [
            { name: 'died', title: 'Dead-lettered', unit: 'dateTimeAsIso', width: 150 },
            {
              name: 'stage',
              title: 'Stage',
              width: 90,
              link: rowLink('Show the stage', 'stage', { stage: 'stage' }),
            },
            { name: 'team', title: 'Team', width: 105 },
            { name: 'customer', title: 'Customer', width: 105 },
            { name: 'feature', title: 'Feature', width: 120 },
            { name: 'error', title: 'Error' },
            { name: 'attempts', title: 'Attempts', unit: 'locale', decimals: 0, width: 80 },
            { name: 'message', title: 'Message', width: 290 },
            { name: 'trace_id', title: 'Trace', width: 260 },
          ],
        }),
      ],
    },
  ],
};
