import type { Alert } from '../../../dashboards/alerts/alert-rule.ts';
import type { RuleTerms } from '../../../dashboards/alerts/rule-terms.ts';

/** Spend far over its own baseline. */
export function costAlerts(terms: RuleTerms): readonly Alert[] {
  const limits = terms.thresholds.budgets;
  return [
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
  ];
}
