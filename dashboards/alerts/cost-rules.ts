import { budgetAlerts } from '../../src/capabilities/budgets/budgets.alerts.ts';
import { reconciliationAlerts } from '../../src/capabilities/costs/reconciliation/reconciliation.alerts.ts';
import { costAlerts } from '../../src/capabilities/costs/costs.alerts.ts';
import type { RuleGroup } from './alert-rule.ts';
import { type RuleTerms, sinceUnseen } from './rule-terms.ts';

/** Money: budgets, spend, and calls whose price or usage cannot be relied on. */
export function costRules(terms: RuleTerms): RuleGroup {
  const { unpricedWindowMinutes } = terms.thresholds.metering;
  return {
    name: 'millrace-costs',
    alerts: [
      ...budgetAlerts(terms),
      ...costAlerts(terms),
      ...reconciliationAlerts(terms),
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
