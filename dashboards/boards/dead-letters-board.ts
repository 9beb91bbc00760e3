import type { Board } from '../board.ts';
import { boardUids, rowLink } from '../board-links.ts';
import { barGauge, stat, timeSeries } from '../charts.ts';
import { worseAbove } from '../colour-limits.ts';
import { promql, sql } from '../data-queries.ts';
import { maximum, ofStage, sumOfIncreases, sumOfMaxima, sumOfRates } from '../promql.ts';
import { sqlTable } from '../tables.ts';
import { thresholds } from '../thresholds.ts';
import { chosen, stageVariables } from '../variables.ts';

const perHour = worseAbove({
  amber: thresholds.deadLetters.suspiciousPerHour,
  red: thresholds.deadLetters.outagePerHour,
});
const died = `$__timeFilter(ts) AND outcome = 'dead_lettered' AND ${chosen(['stage'])}`;

export const deadLettersBoard: Board = {
  uid: boardUids.deadLetters,
  title: 'Millrace / Dead letters',
  question: 'What was given up on, why, who is hit, and is anybody replaying it?',
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
          unit: 'short',
          decimals: 0,
          width: 6,
          hasCourse: true,
          queries: [
            promql(sumOfMaxima('dlq_depth', { labels: ['owner', 'stage'], where: ofStage }), 'Dead letters'),
          ],
        }),
        stat({
          title: 'Died in the last hour',
          description: 'More than a few an hour is suspicious, hundreds are an outage.',
          unit: 'short',
          decimals: 0,
          width: 6,
          limits: perHour,
          queries: [promql(sumOfIncreases('dlq_messages_total', { where: ofStage, window: '1h' }), 'Died')],
        }),
        stat({
          title: 'Oldest',
          description: 'Age of the oldest dead letter that nobody has decided on.',
          unit: 's',
          width: 6,
          limits: worseAbove({ amber: thresholds.deadLetters.undrainedAgeSeconds }),
          queries: [promql(maximum('dlq_oldest_age_seconds', { where: ofStage }), 'Oldest')],
        }),
        stat({
          title: 'Spent on dead letters',
          description:
            'What the calls of messages cost that died in the time range. A replay reuses the answers that were recorded.',
          unit: 'currencyUSD',
          width: 6,
          queries: [
            sql(`
              SELECT sum(ifNull(cost_usd, 0)) AS spend FROM millrace.usage
              WHERE message_id IN (SELECT message_id FROM millrace.message_outcomes WHERE ${died})
            `),
          ],
        }),
        timeSeries({
          title: 'Dead letters by stage',
          description: 'Dead letters that wait for a decision.',
          unit: 'short',
          width: 8,
          queries: [promql(maximum('dlq_depth', { by: ['stage'], where: ofStage }), '{{stage}}')],
        }),
        timeSeries({
          title: 'Died within an hour',
          description: 'Arrivals of the last hour at each moment, with the limits of the alerts.',
          unit: 'short',
          width: 8,
          limits: perHour,
          queries: [
            promql(
              sumOfIncreases('dlq_messages_total', { by: ['stage'], where: ofStage, window: '1h' }),
              '{{stage}}',
            ),
          ],
        }),
        timeSeries({
          title: 'Replayed and discarded',
          description: 'What operators did through the API. Commands are in the audit only.',
          unit: 'ops',
          width: 8,
          queries: [
            promql(sumOfRates('dlq_actions_total', { by: ['action'], where: ofStage }), '{{action}}'),
          ],
        }),
      ],
    },
    {
      title: 'Why did they die, and whose are they?',
      panels: [
        timeSeries({
          title: 'Arrivals by reason',
          description: 'Messages given up on each second, by why.',
          unit: 'ops',
          width: 8,
          draw: 'areas',
          isStacked: true,
          queries: [
            promql(sumOfRates('dlq_messages_total', { by: ['reason'], where: ofStage }), '{{reason}}'),
          ],
        }),
        barGauge({
          title: 'By error',
          description: 'The error that ended them, by how often. Each code is explained in docs/errors.md.',
          unit: 'short',
          width: 8,
          min: 0,
          isPerRow: true,
          queries: [
            sql(`
              SELECT error_code, count() AS dead_letters FROM millrace.message_outcomes
              WHERE ${died} GROUP BY error_code ORDER BY dead_letters DESC LIMIT 10
            `),
          ],
        }),
        sqlTable({
          title: 'Who is hit',
          description: 'Whose work died, by team, customer and feature.',
          unit: 'short',
          width: 8,
          query: sql(`
            SELECT team, customer, feature, count() AS dead_letters, uniqExact(error_code) AS errors
            FROM millrace.message_outcomes WHERE ${died}
            GROUP BY team, customer, feature ORDER BY dead_letters DESC, team, customer LIMIT 50
          `),
          columns: [
            { name: 'team', title: 'Team', link: rowLink('Show its costs', 'cost', { team: 'team' }) },
            {
              name: 'customer',
              title: 'Customer',
              link: rowLink('Show its costs', 'cost', { customer: 'customer' }),
            },
            { name: 'feature', title: 'Feature' },
            { name: 'dead_letters', title: 'Dead letters', decimals: 0, width: 90 },
            { name: 'errors', title: 'Errors', decimals: 0, width: 60 },
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
            FROM millrace.message_outcomes WHERE ${died} ORDER BY died DESC LIMIT 100
          `),
          columns: [
            { name: 'died', title: 'Died', unit: 'dateTimeAsIso', width: 150 },
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
            { name: 'attempts', title: 'Attempts', decimals: 0, width: 80 },
            { name: 'message', title: 'Message', width: 290 },
            { name: 'trace_id', title: 'Trace', width: 260 },
          ],
        }),
      ],
    },
  ],
};
