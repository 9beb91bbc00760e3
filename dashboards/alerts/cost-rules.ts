import type { RuleGroup } from './alert-rule.ts';
import { sinceUnseen, type RuleTerms } from './rule-terms.ts';

/*
 * Money: budgets, spend far over its own baseline, calls without a price. A budget reserves before it spends, so what
 * is spent never quite reaches the limit: it is used up when work is refused or put aside for want of it.
 */
export function costRules(terms: RuleTerms): RuleGroup {
  const limits = terms.thresholds.budgets;
  const { unpricedWindowMinutes } = terms.thresholds.metering;
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
  return {
    name: 'millrace-costs',
    alerts: [
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
      {
        alert: 'MillraceSpendOverBaseline',
        identity: ['dimension', 'name'],
        expr: `max by (dimension, name) (millrace_spend_over_baseline_ratio) > ${limits.spendOverBaselineRatio}`,
        forMinutes: limits.spendOverBaselineForMinutes,
        severity: 'warning',
        incident: 'spend',
        // Only a team's own spend has a team to route to.
        labels: { team: '{{ if eq $labels.dimension "team" }}{{ $labels.name }}{{ end }}' },
        summary:
          'Spend of {{ $labels.dimension }} {{ $labels.name }} is {{ printf "%.1f" $value }} times its usual amount',
        description:
          'The last hour, or today so far, against the mean of the same time of day over the previous days.',
        board: { uid: 'millrace-cost', query: 'var-{{ $labels.dimension }}={{ $labels.name | urlquery }}' },
        runbook: 'spend.md#far-over-the-baseline',
      },
      {
        alert: 'MillracePriceMissing',
        identity: ['provider', 'model'],
        expr: sinceUnseen(
          'sum by (provider, model)',
          'millrace_metering_unpriced_events_total',
          terms.minutes(unpricedWindowMinutes),
        ),
        severity: 'warning',
        incident: 'prices',
        summary:
          'No price for {{ $labels.provider }}/{{ $labels.model }}: its calls are recorded without a cost',
        description: 'The true spend is higher than every report until the price is known.',
        board: { uid: 'millrace-metering' },
        runbook: 'prices.md#calls-without-a-price',
      },
      {
        alert: 'MillraceSuspectUsage',
        identity: ['provider', 'model'],
        expr: sinceUnseen(
          'sum by (provider, model)',
          'millrace_metering_suspect_usage_total',
          terms.minutes(unpricedWindowMinutes),
        ),
        severity: 'warning',
        incident: 'prices',
        summary:
          '{{ $labels.provider }}/{{ $labels.model }} reported more tokens than its requests can have caused',
        description: 'The report was not booked; these calls are counted from their texts and are estimated.',
        board: { uid: 'millrace-metering' },
        runbook: 'metering.md#suspect-usage',
      },
    ],
  };
}
