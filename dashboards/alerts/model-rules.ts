import { limitAlerts } from '../../src/capabilities/limits/limits.alerts.ts';
import type { RuleGroup } from './alert-rule.ts';
import type { RuleTerms } from './rule-terms.ts';

/** Providers and models: retries and circuits. */
export function modelRules(terms: RuleTerms): RuleGroup {
  const { retryStormShare, retryStormForMinutes, retryStormMinimumRequests } = terms.thresholds.models;
  const window = terms.minutes(5);
  const requests = `sum by (provider, model) (rate(millrace_llm_requests_total[${window}]))`;
  return {
    name: 'millrace-models',
    alerts: [
      {
        alert: 'MillraceRetryStorm',
        identity: ['provider', 'model'],
        expr: [
          `sum by (provider, model) (rate(millrace_llm_requests_total{attempt="retry"}[${window}]))`,
          `/ (${requests} > 0) > ${retryStormShare}`,
          `and on (provider, model) sum by (provider, model) (increase(millrace_llm_requests_total[${window}])) >= ${retryStormMinimumRequests}`,
        ].join('\n'),
        forMinutes: retryStormForMinutes,
        severity: 'warning',
        incident: 'provider',
        summary:
          '{{ $labels.provider }}/{{ $labels.model }}: {{ humanizePercentage $value }} of requests are retries',
        description: `Each costs time and often money. More than ${retryStormShare * 100} % of at least ${retryStormMinimumRequests} requests in 5 minutes.`,
        board: { uid: 'millrace-models', variables: ['provider', 'model'] },
        runbook: 'provider.md#retries',
      },
      ...limitAlerts(terms),
    ],
  };
}
