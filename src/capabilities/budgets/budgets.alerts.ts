import type { Alert } from '../../../dashboards/alerts/alert-rule.ts';
import { type RuleTerms, sinceUnseen } from '../../../dashboards/alerts/rule-terms.ts';

/**
 * Budgets that run out. A budget reserves before it spends, so what is spent never quite reaches the limit: it is used up
 * when work is refused or put aside for want of it.
 */
export function budgetAlerts(terms: RuleTerms): readonly Alert[] {
  const limits = terms.thresholds.budgets;
  const of = (metric: string): string => `max by (team, budget) (${metric})`;
  /** Of dollars or of tokens: a budget has one of them. */
  const either = (metric: (unit: string) => string): string => `(${metric('usd')} or ${metric('tokens')})`;
  const limit = either((unit) => of(`millrace_budget_limit_${unit}`));
  const usedShare = `(${either((unit) => of(`millrace_budget_spent_${unit}`))} / (${limit} > 0))`;
  const onlyWarns = `${of('millrace_budget_enforced')} == 0`;
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
        `and on (team, budget) ${either((unit) => of(`predict_linear(millrace_budget_spent_${unit}[${terms.hours(6)}], ${terms.seconds(86_400)})`))} >= on (team, budget) ${limit}`,
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
        `(${usedShare} >= ${limits.exhaustedShare}`,
        `or (${usedShare} and on (budget) ${refusals}))`,
        `unless on (team, budget) ${onlyWarns}`,
      ].join('\n'),
      severity: 'critical',
      incident: 'budget',
      summary:
        'Budget {{ $labels.budget }} ({{ $labels.team }}) is used up: {{ humanizePercentage $value }} spent',
      description:
        'Work that needs it waits or is refused, as configured, until the next period or a higher limit.',
      runbook: 'budget.md#exhausted',
    },
    {
      alert: 'MillraceBudgetShareReached',
      identity: ['team', 'budget', 'percent'],
      board: { uid: 'millrace-budgets' },
      expr: 'max by (team, budget, percent) (millrace_budget_alert_reached) == 1',
      severity: 'warning',
      incident: 'budget-share',
      summary:
        'Budget {{ $labels.budget }} ({{ $labels.team }}) has used {{ $labels.percent }}% of its limit',
      description:
        'One of the shares that the budget is to tell of (alertAt), until its window turns or the limit is raised. Nothing is held back by that.',
      runbook: 'budget.md#share-reached',
    },
  ];
}
