import { rowLink } from '../../../dashboards/board-links.ts';
import { barGauge, stat, timeSeries } from '../../../dashboards/charts.ts';
import { worseAbove } from '../../../dashboards/colour-limits.ts';
import { promql } from '../../../dashboards/data-queries.ts';
import { maximum, sumOfIncreases, sumOfRates } from '../../../dashboards/promql.ts';
import { promTable } from '../../../dashboards/tables.ts';
import { thresholds } from '../../../dashboards/thresholds.ts';

const perBudget = ['team', 'budget'];
const inUnit = (unit: 'usd' | 'tokens') => ({
  spent: maximum(`budget_spent_${unit}`, { by: perBudget }),
  reserved: maximum(`budget_reserved_${unit}`, { by: perBudget }),
  limit: maximum(`budget_limit_${unit}`, { by: perBudget }),
});
const [dollars, tokens] = [inUnit('usd'), inUnit('tokens')];
/** A budget counts dollars or tokens: shares are of either. */
const either = (figure: 'spent' | 'reserved' | 'limit'): string =>
  `(${dollars[figure]} or ${tokens[figure]})`;
const [spent, reserved, limit] = [either('spent'), either('reserved'), either('limit')];
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
    description: 'What each budget of dollars has spent, has reserved for calls under way, and may spend.',
    unit: 'short',
    width: 12,
    labels: [
      { name: 'budget', title: 'Budget' },
      { name: 'team', title: 'Team', link: rowLink('Show its costs', 'cost', { team: 'team' }) },
    ],
    values: [
      { name: 'spent', title: 'Spent', unit: 'currencyUSD', expr: forRow(dollars.spent) },
      { name: 'reserved', title: 'Reserved', unit: 'currencyUSD', expr: forRow(dollars.reserved) },
      { name: 'limit', title: 'Limit', unit: 'currencyUSD', expr: forRow(dollars.limit) },
      {
        name: 'used',
        title: 'Used',
        unit: 'percentunit',
        decimals: 1,
        limits: used,
        expr: forRow(`(${dollars.spent} + ${dollars.reserved}) / ${dollars.limit}`),
      },
    ],
  }),
  ofTokens: promTable({
    title: 'Budgets of tokens',
    description: 'What each budget of tokens has used, has reserved for calls under way, and may use.',
    unit: 'short',
    width: 12,
    labels: [
      { name: 'budget', title: 'Budget' },
      { name: 'team', title: 'Team', link: rowLink('Show its costs', 'cost', { team: 'team' }) },
    ],
    values: [
      { name: 'spent', title: 'Used', unit: 'short', expr: forRow(tokens.spent) },
      { name: 'reserved', title: 'Reserved', unit: 'short', expr: forRow(tokens.reserved) },
      { name: 'limit', title: 'Limit', unit: 'short', expr: forRow(tokens.limit) },
      {
        name: 'used',
        title: 'Used share',
        unit: 'percentunit',
        decimals: 1,
        limits: used,
        expr: forRow(`(${tokens.spent} + ${tokens.reserved}) / ${tokens.limit}`),
      },
    ],
  }),
  sharesReached: timeSeries({
    title: 'Shares of budgets reached',
    description:
      'Percents of limits that budgets are to tell of (alertAt), while they are reached. 0: not reached.',
    unit: 'short',
    width: 12,
    queries: [
      promql(maximum('budget_alert_reached', { by: [...perBudget, 'percent'] }), '{{budget}} {{percent}} %'),
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
