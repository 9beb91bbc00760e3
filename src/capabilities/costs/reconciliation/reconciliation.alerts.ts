import type { Alert } from '../../../../dashboards/alerts/alert-rule.ts';
import type { RuleTerms } from '../../../../dashboards/alerts/rule-terms.ts';

/** Bills that the ledger does not explain. */
export function reconciliationAlerts(terms: RuleTerms): readonly Alert[] {
  const { reconciliationResidualUsd, reconciliationForMinutes } = terms.thresholds.metering;
  return [
    {
      alert: 'MillraceBillUnexplained',
      identity: ['provider'],
      expr: `max by (provider) (millrace_reconciliation_residual_usd) > ${reconciliationResidualUsd}`,
      forMinutes: reconciliationForMinutes,
      severity: 'warning',
      incident: 'bills',
      summary: 'The bill of {{ $labels.provider }} has {{ printf "%.2f" $value }} USD that nothing explains',
      description: 'Compared with the ledger, days of the last 92 have differences without a named cause.',
      board: { uid: 'millrace-metering' },
      runbook: 'metering.md#a-bill-that-nothing-explains',
    },
  ];
}
