import type { RuleGroup } from './alert-rule.ts';
import type { RuleTerms } from './rule-terms.ts';

/** Providers and models: retries and circuits. */
export function modelRules(terms: RuleTerms): RuleGroup {
  const { retryStormShare, retryStormForMinutes, retryStormMinimumRequests, circuitOpenForMinutes } =
    terms.thresholds.models;
  const window = terms.minutes(5);
  const about = {
    identity: ['provider', 'model'],
    board: { uid: 'millrace-models', variables: ['provider', 'model'] },
  } as const;
  const requests = `sum by (provider, model) (rate(millrace_llm_requests_total[${window}]))`;
  return {
    name: 'millrace-models',
    alerts: [
      {
        ...about,
        alert: 'MillraceRetryStorm',
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
        runbook: 'provider.md#retries',
      },
      {
        ...about,
        alert: 'MillraceCircuitOpen',
        // A half-open circuit only tries: it counts as open, or each probe would start the time anew.
        expr: 'max by (provider, model) (millrace_llm_circuit_state{state=~"open|half_open"}) == 1',
        forMinutes: circuitOpenForMinutes,
        severity: 'critical',
        incident: 'provider',
        summary: 'The circuit of {{ $labels.provider }}/{{ $labels.model }} is open',
        description:
          'No requests but probes are sent. Messages that need the model are parked, or fall back to another.',
        runbook: 'provider.md#circuit',
      },
    ],
  };
}
