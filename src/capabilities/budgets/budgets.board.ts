import { rowLink } from '../../../dashboards/board-links.ts';
import { barGauge, stat, timeSeries } from '../../../dashboards/charts.ts';
import { worseAbove } from '../../../dashboards/colour-limits.ts';
import { promql } from '../../../dashboards/data-queries.ts';
import { maximum, sumOfIncreases, sumOfRates } from '../../../dashboards/promql.ts';
import { promTable } from '../../../dashboards/tables.ts';
import { thresholds } from '../../../dashboards/thresholds.ts';

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

/** Panels about budgets. */
export const budgetPanels = {
  usedUp: stat({
    title: 'Budgets used up',
    description:
      'Budgets whose limit is reached, or that parked or refused work in the last hour because nothing was left.',
    unit: 'locale',
    decimals: 0,
    width: 6,
    limits: worseAbove({ red: 1 }),
    queries: [promql(`count(${usedUp}) or vector(0)`, 'Used up')],
  }),
  all: promTable({
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
  used: barGauge({
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
  usedOverTime: timeSeries({
    title: 'Budget used over time',
    description:
      'A line that will cross the limit before its period ends needs a decision today: less spend, or a higher limit.',
    unit: 'percentunit',
    width: 8,
    limits: used,
    queries: [promql(usedShare, '{{budget}}')],
  }),
  refusals: timeSeries({
    title: 'Work refused by a budget',
    description:
      'Messages and calls that a budget had no room for, each second. They wait, or are refused, as the budget says.',
    unit: 'mps',
    width: 8,
    queries: [promql(sumOfRates('budget_refusals_total', { by: ['budget'] }), '{{budget}}')],
  }),
};
