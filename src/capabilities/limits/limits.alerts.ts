import type { Alert } from '../../../dashboards/alerts/alert-rule.ts';
import type { RuleTerms } from '../../../dashboards/alerts/rule-terms.ts';

/** Circuits that stay open. */
export function limitAlerts(terms: RuleTerms): readonly Alert[] {
  return [
    {
      alert: 'MillraceCircuitOpen',
      identity: ['provider', 'model'],
      // A half-open circuit only tries: it counts as open, or each probe would start the time anew.
      expr: 'max by (provider, model) (millrace_llm_circuit_state{state=~"open|half_open"}) == 1',
      forMinutes: terms.thresholds.models.circuitOpenForMinutes,
      severity: 'critical',
      incident: 'provider',
      summary: 'The circuit of {{ $labels.provider }}/{{ $labels.model }} is open',
      description:
        'No requests but probes are sent. Messages that need the model are parked, or fall back to another.',
      board: { uid: 'millrace-models', variables: ['provider', 'model'] },
      runbook: 'provider.md#circuit',
    },
  ];
}
