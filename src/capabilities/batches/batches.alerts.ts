import type { Alert } from '../../../dashboards/alerts/alert-rule.ts';
import type { RuleTerms } from '../../../dashboards/alerts/rule-terms.ts';

/** Batches that need somebody. None names the batch: there is no bound on names, and the list of batches does. */
export function batchAlerts(terms: RuleTerms): readonly Alert[] {
  const limits = terms.thresholds.batches;
  const about = { identity: ['job'], board: { uid: 'millrace-batches' } } as const;
  return [
    {
      ...about,
      alert: 'MillraceBatchStuck',
      expr: `max by (job) (millrace_batch_quiet_seconds) > ${terms.seconds(limits.quietSeconds)}`,
      forMinutes: limits.quietForMinutes,
      severity: 'critical',
      incident: 'batch_stuck',
      summary: 'Nothing has moved in a running batch for {{ humanizeDuration $value }}',
      description:
        'No item of it ended, and it waits for nothing known: no pause, limit, budget, retry or provider. Its deadline comes nearer.',
      runbook: 'batches.md#a-batch-is-stuck',
    },
    {
      ...about,
      alert: 'MillraceBatchHalted',
      expr: 'max by (job) (millrace_batches{state="halted"}) > 0',
      forMinutes: limits.haltedForMinutes,
      severity: 'warning',
      incident: 'batch_halted',
      summary:
        '{{ printf "%.0f" $value }} halted: too much failed in the same way, or a store or sink was away',
      description:
        'A batch stopped by itself before more was paid for. Nothing that is done is lost; it goes on when an operator resumes it.',
      runbook: 'batches.md#a-batch-is-halted',
    },
    {
      ...about,
      alert: 'MillraceBatchDeadlineAtRisk',
      expr: 'max by (job) (millrace_batches_deadline_at_risk) > 0',
      forMinutes: limits.atRiskForMinutes,
      severity: 'warning',
      incident: 'batch_deadline',
      summary: '{{ printf "%.0f" $value }} running batches end after their deadline at the present rate',
      description: 'What has not ended by then expires. There is still time to do something about it.',
      runbook: 'batches.md#a-deadline-is-at-risk',
    },
    {
      ...about,
      alert: 'MillraceProviderBatchUnresolved',
      expr: 'max by (job) (millrace_provider_batches{state="unresolved"}) > 0',
      forMinutes: limits.unresolvedForMinutes,
      severity: 'warning',
      incident: 'provider_batch',
      summary: '{{ printf "%.0f" $value }} batches at providers wait for a decision',
      description:
        'Looking does not tell whether the provider has the batch. It is not sent again by itself, for it may be paid twice; its items wait.',
      runbook: 'batches.md#a-provider-batch-is-unresolved',
    },
    {
      ...about,
      alert: 'MillraceProviderBatchHindered',
      expr: `max by (job) (millrace_provider_batch_hindered_seconds) > ${terms.seconds(limits.hinderedSeconds)}`,
      forMinutes: limits.hinderedForMinutes,
      severity: 'warning',
      incident: 'provider_batch_hindered',
      summary: 'A batch at a provider has not gone on for {{ humanizeDuration $value }}',
      description:
        'Each of its steps fails, or its provider is not configured any more. It goes on by itself when that is over; until then its items wait, and what they cost at most stays reserved.',
      runbook: 'batches.md#a-provider-batch-is-hindered',
    },
  ];
}
