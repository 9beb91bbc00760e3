import type { EngineCatalogue } from '../../engine/metrics/engine-metrics.ts';
import type { MetricCatalogue } from '../../telemetry/metric-definition.ts';
import type { Metrics } from '../../telemetry/metrics.ts';

const ofBudget = { team: 'open', budget: 'open' } as const;

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
  budget_refusals_total: {
    type: 'counter',
    unit: 'calls',
    labels: { budget: 'open', action: ['parked', 'refused'] },
    help: 'Calls parked because a budget has no room, and messages and calls that it refused.',
  },
} as const satisfies MetricCatalogue;

/** What this capability reports to: its own metrics beside those of the engine. */
export type BudgetMetrics = Metrics<EngineCatalogue & typeof budgetMetrics>;
