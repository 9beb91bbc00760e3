import type { RuleGroup } from '../../../dashboards/alerts/alert-rule.ts';
import type { RuleTerms } from '../../../dashboards/alerts/rule-terms.ts';

/*
 * Dead letters. A counter does not fall when letters are replayed or discarded, so an alert on arrivals alone would
 * go on for the rest of the hour after the cause was fixed. Arrivals raise the alert; it ends when no more than the
 * suspicious number is left to decide about. A few stragglers hold up nothing: "undrained" reminds of them.
 */
export function deadLetterRules(terms: RuleTerms): RuleGroup {
  const { suspiciousPerHour, outagePerHour, undrainedAgeSeconds, undrainedForMinutes } =
    terms.thresholds.deadLetters;
  // Rounded, because the rate's extrapolation makes 5.02 of 5.
  const arrivals = `round(sum by (owner, stage) (increase(millrace_dead_letters_total[${terms.hours(1)}])))`;
  const areLeft = `and on (owner, stage) max by (owner, stage) (millrace_dead_letters) > ${suspiciousPerHour}`;
  const about = {
    identity: ['owner', 'stage'],
    board: { uid: 'millrace-dead-letters', variables: ['stage'] },
  } as const;
  return {
    name: 'millrace-dead-letters',
    alerts: [
      {
        ...about,
        alert: 'MillraceDeadLettersSuspicious',
        expr: `${arrivals} > ${suspiciousPerHour}\n${areLeft}`,
        severity: 'warning',
        incident: 'dead-letters',
        summary: '{{ $labels.stage }}: {{ printf "%.0f" $value }} messages dead-lettered in the last hour',
        description: `Normal is 0. More than ${suspiciousPerHour} an hour is suspicious, more than ${outagePerHour} an outage. Ends when ${suspiciousPerHour} or fewer are left to replay or discard.`,
        runbook: 'dead-letters.md#a-dead-letter',
      },
      {
        ...about,
        alert: 'MillraceDeadLettersOutage',
        expr: `${arrivals} > ${outagePerHour}\n${areLeft}`,
        severity: 'critical',
        incident: 'dead-letters',
        summary:
          '{{ $labels.stage }}: outage, {{ printf "%.0f" $value }} messages dead-lettered in the last hour',
        description: `More than ${outagePerHour} an hour: something that all messages of {{ $labels.stage }} need is broken. Ends when ${suspiciousPerHour} or fewer are left to replay or discard.`,
        runbook: 'dead-letters.md#many-at-once',
      },
      {
        ...about,
        alert: 'MillraceDeadLettersUndrained',
        expr: `max by (owner, stage) (millrace_dead_letters_oldest_age_seconds) > ${terms.seconds(undrainedAgeSeconds)}\nand on (owner, stage) max by (owner, stage) (millrace_dead_letters) > 0`,
        forMinutes: undrainedForMinutes,
        severity: 'info',
        incident: 'dead-letters',
        summary: '{{ $labels.stage }}: a dead letter has waited for {{ humanizeDuration $value }}',
        description: 'Nobody has replayed or discarded it. Dead letters are never pruned by themselves.',
        runbook: 'dead-letters.md#old-ones',
      },
    ],
  };
}
