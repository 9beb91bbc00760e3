import type { Alert } from '../../../dashboards/alerts/alert-rule.ts';
import { type RuleTerms, sinceUnseen } from '../../../dashboards/alerts/rule-terms.ts';

/**
 * Budgets that run out. A budget reserves before it spends, so what is spent never quite reaches the limit: it is used up
 * when work is refused or put aside for want of it.
 */
export function budgetAlerts(terms: RuleTerms): readonly Alert[] {
  const limits = terms.thresholds.budgets;
  const of = (metric: string): string => `max by (team, budget) (${metric})`;
  const limit = of('millrace_budget_limit_usd');
  const usedShare = `(${of('millrace_budget_spent_usd')} / (${limit} > 0))`;
  const refusals = sinceUnseen(
    'sum by (budget)',
    'millrace_budget_refusals_total',
    terms.minutes(limits.refusalWindowMinutes),
  );
  const about = {
    identity: ['team', 'budget'],
    board: { uid: 'millrace-budgets' },
  } as const;
  return [
    {
      ...about,
      alert: 'MillraceBudgetBurn',
      expr: [
        `${usedShare} > ${limits.burnShare}`,
        `and on (team, budget) ${of(`predict_linear(millrace_budget_spent_usd[${terms.hours(6)}], ${terms.seconds(86_400)})`)} >= on (team, budget) ${limit}`,
      ].join('\n'),
      forMinutes: limits.burnForMinutes,
      severity: 'warning',
      incident: 'budget',
      summary:
        'Budget {{ $labels.budget }} ({{ $labels.team }}) runs out within a day: {{ humanizePercentage $value }} used',
      description:
        'If it goes on as in the last 6 hours. Work over the budget waits or is refused, as configured.',
      runbook: 'budget.md#burn',
    },
    {
      ...about,
      alert: 'MillraceBudgetExhausted',
      expr: [
        `${usedShare} >= ${limits.exhaustedShare}`,
        `or (${usedShare} and on (budget) ${refusals})`,
      ].join('\n'),
      severity: 'critical',
      incident: 'budget',
      summary:
        'Budget {{ $labels.budget }} ({{ $labels.team }}) is used up: {{ humanizePercentage $value }} spent',
      description:
        'Work that needs it waits or is refused, as configured, until the next period or a higher limit.',
      runbook: 'budget.md#exhausted',
    },
  ];
}
