import type { Alert } from '../../../dashboards/alerts/alert-rule.ts';
import type { RuleTerms } from '../../../dashboards/alerts/rule-terms.ts';

/** Pauses that were perhaps forgotten. */
export function pauseAlerts(terms: RuleTerms): readonly Alert[] {
  const { pausedForMinutes } = terms.thresholds.queue;
  return [
    {
      alert: 'MillraceStagePaused',
      identity: ['owner', 'stage'],
      expr: 'max by (owner, stage) (millrace_stage_paused) == 1',
      forMinutes: pausedForMinutes,
      severity: 'info',
      incident: 'paused',
      summary: `{{ $labels.stage }} has been paused for more than ${pausedForMinutes} minutes`,
      description: 'An operator has paused it. Its messages wait, and nothing of it is alerted on meanwhile.',
      board: { uid: 'millrace-stage', variables: ['stage'] },
      runbook: 'pause.md#look',
    },
  ];
}
