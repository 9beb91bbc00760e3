import type { EngineCatalogue } from '../../engine/metrics/engine-metrics.ts';
import type { MetricCatalogue } from '../../telemetry/metric-definition.ts';
import type { Metrics } from '../../telemetry/metrics.ts';

const ofBudget = { team: 'open', budget: 'open' } as const;

/** What became of what a budget had no room for. */
export const refusalActions = ['parked', 'refused', 'switched'] as const;

/** Fed by the watch of every process, at admission and at calls. A budget over all teams has the team "all". */
export const budgetMetrics = {
  budget_limit_usd: {
    type: 'gauge',
    unit: 'dollars',
    labels: ofBudget,
    help: 'Limit of the budget in one window; every process reports the same, so aggregate with max.',
  },
  budget_spent_usd: {
    type: 'gauge',
    unit: 'dollars',
    labels: ofBudget,
    help: 'Spent in the present window, with the upper bounds of unsettled calls; aggregate with max.',
  },
  budget_reserved_usd: {
    type: 'gauge',
    unit: 'dollars',
    labels: ofBudget,
    help: 'Upper bounds of the calls under way that count in the present window; aggregate with max.',
  },
  budget_limit_tokens: {
    type: 'gauge',
    unit: 'tokens',
    labels: ofBudget,
    help: 'Limit of a budget of tokens in one window; aggregate with max.',
  },
  budget_spent_tokens: {
    type: 'gauge',
    unit: 'tokens',
    labels: ofBudget,
    help: 'Tokens used in the present window, with the upper bounds of unsettled calls; aggregate with max.',
  },
  budget_reserved_tokens: {
    type: 'gauge',
    unit: 'tokens',
    labels: ofBudget,
    help: 'Tokens that the calls under way may use at most, in the present window; aggregate with max.',
  },
  budget_enforced: {
    type: 'gauge',
    unit: 'budgets',
    labels: ofBudget,
    help: 'Whether the budget holds work back (1) or only warns (0, atLimit: alert); aggregate with max.',
  },
  budget_alert_reached: {
    type: 'gauge',
    unit: 'budgets',
    labels: { ...ofBudget, percent: 'open' },
    help: 'Whether the budget has used so many percent of its limit (alertAt) in the present window: 1, else 0; aggregate with max.',
  },
  budget_alerts_total: {
    type: 'counter',
    unit: 'alerts',
    labels: { budget: 'open' },
    help: 'Percents of budgets (alertAt) that were reached, each once a window over all processes.',
  },
  budget_refusals_total: {
    type: 'counter',
    unit: 'calls',
    labels: { budget: 'open', action: refusalActions },
    help: 'Calls parked because a budget has no room, or made with the model that it switches to, and messages and calls that it refused.',
  },
} as const satisfies MetricCatalogue;

/** What this capability reports to: its own metrics beside those of the engine. */
export type BudgetMetrics = Metrics<EngineCatalogue & typeof budgetMetrics>;
