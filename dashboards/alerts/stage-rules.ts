import { pauseAlerts } from '../../src/capabilities/pauses/pauses.alerts.ts';
import type { RuleGroup } from './alert-rule.ts';
import type { RuleTerms } from './rule-terms.ts';

/*
 * Backlog and pauses. What waits is counted by the ledger, which knows what may run now; the queue's jobs are only
 * job notifications. What is paused or parked is not "ready": a pause or an empty budget is no stalled stage. Every process
 * reports the same counts: max over them, never sum.
 */
export function stageRules(terms: RuleTerms): RuleGroup {
  const { stalledWindowMinutes, stalledForMinutes, drainSlowForMinutes } = terms.thresholds.queue;
  const unlessPaused = 'unless on (owner, stage) max by (owner, stage) (millrace_stage_paused) == 1';
  const about = {
    identity: ['owner', 'stage'],
    board: { uid: 'millrace-stage', variables: ['stage'] },
  } as const;
  return {
    name: 'millrace-stages',
    recordings: [
      {
        record: 'stage:millrace_backlog:max',
        expr: 'sum by (owner, stage) (max by (owner, stage, lane) (millrace_stage_backlog{state="ready"}))',
      },
      {
        record: 'stage:millrace_drain_seconds:max',
        expr: `stage:millrace_backlog:max\n/ (sum by (owner, stage) (rate(millrace_stage_messages_total[${terms.minutes(10)}])) > 0)`,
      },
    ],
    alerts: [
      {
        ...about,
        alert: 'MillraceBacklogSlow',
        expr: `stage:millrace_drain_seconds:max > on (owner, stage) max by (owner, stage) (millrace_stage_drain_slo_seconds)\n${unlessPaused}`,
        forMinutes: drainSlowForMinutes,
        severity: 'warning',
        incident: 'backlog',
        summary:
          '{{ $labels.stage }}: the backlog needs {{ humanizeDuration $value }} to drain at the present rate',
        description: "Longer than the stage's own limit, its option drainWithin.",
        runbook: 'backlog.md#slow',
      },
      {
        ...about,
        alert: 'MillraceBacklogStalled',
        expr: `stage:millrace_backlog:max > 0\nand on (owner, stage) sum by (owner, stage) (increase(millrace_stage_messages_total[${terms.minutes(stalledWindowMinutes)}])) == 0\n${unlessPaused}`,
        forMinutes: stalledForMinutes,
        severity: 'critical',
        incident: 'backlog',
        summary: `{{ $labels.stage }}: {{ printf "%.0f" $value }} waiting and nothing ended for ${stalledWindowMinutes} minutes`,
        description: 'Messages are due, the stage is not paused, and none has ended.',
        runbook: 'backlog.md#stalled',
      },
      ...pauseAlerts(terms),
    ],
  };
}
