import type { Board } from '../board.ts';
import { boardUids, rowLink } from '../board-links.ts';
import { barGauge, stat, stateTimeline, timeSeries } from '../charts.ts';
import { worseAbove } from '../colour-limits.ts';
import { promql } from '../data-queries.ts';
import { maximum, ofStage, sumOfIncreases, sumOfMaxima, sumOfRates } from '../promql.ts';
import { parkingColours } from '../series-colours.ts';
import { promTable } from '../tables.ts';
import { thresholds } from '../thresholds.ts';
import { stageVariables } from '../variables.ts';

const perBudget = ['team', 'budget'];
const spent = maximum('budget_spent_usd', { by: perBudget });
const reserved = maximum('budget_reserved_usd', { by: perBudget });
const limit = maximum('budget_limit_usd', { by: perBudget });
/** A budget of all teams leads to the costs of all of them. */
const forRow = (expr: string): string => `label_replace(${expr}, "team", "All", "team", "all")`;
const usedShare = `${spent} / ${limit}`;
/** As the alert has it: a budget reserves before it spends, so what is used up refuses rather than reaches its limit. */
const usedUp = `(${usedShare} >= ${thresholds.budgets.exhaustedShare}) or (${usedShare} and on (budget) (${sumOfIncreases('budget_refusals_total', { by: ['budget'], window: '1h' })} > 0))`;
const used = worseAbove({ amber: thresholds.budgets.burnShare, red: thresholds.budgets.exhaustedShare });

export const budgetsBoard: Board = {
  uid: boardUids.budgets,
  title: 'Millrace / Budgets and pauses',
  question: 'Whose money runs out, and what is paused?',
  range: '24h',
  refresh: '30s',
  variables: stageVariables,
  rows: [
    {
      title: 'What is paused?',
      panels: [
        stat({
          title: 'Pauses in force',
          description: 'Pauses that operators have placed, of every scope.',
          unit: 'locale',
          decimals: 0,
          width: 6,
          queries: [promql(sumOfMaxima('pauses_active', { labels: ['scope'] }), 'Pauses')],
        }),
        stat({
          title: 'Oldest pause',
          description: 'How long the oldest pause has been in force. Pauses are easily forgotten.',
          unit: 's',
          width: 6,
          queries: [promql(maximum('pause_age_seconds'), 'Age')],
        }),
        stat({
          title: 'Parked messages',
          description:
            'Messages that are put aside until a pause, a budget, a circuit or a limit lets them go on.',
          unit: 'locale',
          decimals: 0,
          width: 6,
          hasCourse: true,
          queries: [
            promql(
              sumOfMaxima('stage_backlog', {
                labels: ['owner', 'stage', 'lane'],
                where: `${ofStage},state="parked"`,
              }),
              'Parked',
            ),
          ],
        }),
        stat({
          title: 'Budgets used up',
          description:
            'Budgets whose limit is reached, or that parked or refused work in the last hour because nothing was left.',
          unit: 'locale',
          decimals: 0,
          width: 6,
          limits: worseAbove({ red: 1 }),
          queries: [promql(`count(${usedUp}) or vector(0)`, 'Used up')],
        }),
        timeSeries({
          title: 'Pauses by scope',
          description: 'Pauses in force, by what they stop: a stage, a model, an origin.',
          unit: 'short',
          decimals: 0,
          width: 8,
          queries: [promql(maximum('pauses_active', { by: ['scope'] }), '{{scope}}')],
        }),
        timeSeries({
          title: 'Parking by reason',
          description: 'Messages put aside each second, by what they wait for.',
          unit: 'mps',
          width: 8,
          colours: parkingColours,
          queries: [
            promql(sumOfRates('messages_parked_total', { by: ['reason'], where: ofStage }), '{{reason}}'),
          ],
        }),
        stateTimeline({
          title: 'Paused stages',
          description: 'Stages that an operator has taken out of work.',
          unit: 'none',
          width: 8,
          states: [
            { value: 0, text: 'working', color: 'green' },
            { value: 1, text: 'paused', color: 'orange' },
          ],
          queries: [promql(maximum('stage_paused', { by: ['stage'], where: ofStage }), '{{stage}}')],
        }),
      ],
    },
    {
      title: 'Whose money runs out?',
      panels: [
        promTable({
          title: 'Budgets',
          description: 'What each budget has spent, has reserved for calls under way, and may spend.',
          unit: 'short',
          width: 12,
          labels: [
            { name: 'budget', title: 'Budget' },
            { name: 'team', title: 'Team', link: rowLink('Show its costs', 'cost', { team: 'team' }) },
          ],
          values: [
            { name: 'spent', title: 'Spent', unit: 'currencyUSD', expr: forRow(spent) },
            { name: 'reserved', title: 'Reserved', unit: 'currencyUSD', expr: forRow(reserved) },
            { name: 'limit', title: 'Limit', unit: 'currencyUSD', expr: forRow(limit) },
            {
              name: 'used',
              title: 'Used',
              unit: 'percentunit',
              decimals: 1,
              limits: used,
              expr: forRow(`(${spent} + ${reserved}) / ${limit}`),
            },
          ],
        }),
        barGauge({
          title: 'Spend over its own baseline',
          description:
            'Spend of a team, customer or feature as a multiple of what is usual for it at this time of day; the highest four of each.',
          unit: 'suffix:×',
          decimals: 1,
          width: 12,
          min: 0,
          limits: worseAbove({ red: thresholds.budgets.spendOverBaselineRatio }),
          queries: [
            promql(
              `sort_desc(topk by (dimension) (4, ${maximum('spend_over_baseline_ratio', { by: ['dimension', 'name'] })}))`,
              '{{dimension}} {{name}}',
            ),
          ],
        }),
        barGauge({
          title: 'Budget used',
          description: 'Spent and reserved by the limit of each budget.',
          unit: 'percentunit',
          decimals: 1,
          width: 8,
          min: 0,
          max: 1,
          limits: used,
          queries: [promql(`sort_desc((${spent} + ${reserved}) / ${limit})`, '{{budget}}')],
        }),
        timeSeries({
          title: 'Budget used over time',
          description:
            'A line that will cross the limit before its period ends needs a decision today: less spend, or a higher limit.',
          unit: 'percentunit',
          width: 8,
          limits: used,
          queries: [promql(usedShare, '{{budget}}')],
        }),
        timeSeries({
          title: 'Work refused by a budget',
          description:
            'Messages and calls that a budget had no room for, each second. They wait, or are refused, as the budget says.',
          unit: 'mps',
          width: 8,
          queries: [promql(sumOfRates('budget_refusals_total', { by: ['budget'] }), '{{budget}}')],
        }),
      ],
    },
  ],
};
