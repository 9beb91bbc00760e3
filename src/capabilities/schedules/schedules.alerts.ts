import type { Alert } from '../../../dashboards/alerts/alert-rule.ts';
import type { RuleTerms } from '../../../dashboards/alerts/rule-terms.ts';

/** Schedules that do not do what they are for. None names the schedule: there is no bound on names, and the list of schedules does. */
export function scheduleAlerts(terms: RuleTerms): readonly Alert[] {
  const limits = terms.thresholds.schedules;
  const about = { identity: ['job'], board: { uid: 'millrace-schedules' } } as const;
  return [
    {
      ...about,
      alert: 'MillraceScheduleFailing',
      expr: 'max by (job) (millrace_schedules{state="failing"}) > 0',
      forMinutes: limits.failingForMinutes,
      severity: 'warning',
      incident: 'schedule_failing',
      summary: 'The messages of {{ printf "%.0f" $value }} schedules are refused',
      description:
        'The last run of each could not be admitted: no stage consumes the type any more, the data does not fit its schema, or a budget refuses it. Other schedules go on.',
      runbook: 'schedules.md#a-schedule-is-failing',
    },
    {
      ...about,
      alert: 'MillraceSchedulesLate',
      expr: `max by (job) (millrace_schedules_overdue_seconds) > ${terms.seconds(limits.overdueSeconds)}`,
      forMinutes: limits.overdueForMinutes,
      severity: 'critical',
      incident: 'schedules_late',
      summary: 'A run of a schedule has been due for {{ humanizeDuration $value }}',
      description:
        'The maintenance role does not run schedules, or messages cannot be admitted for now. No time is lost: what was missed is made up for as each schedule says.',
      runbook: 'schedules.md#schedules-are-late',
    },
  ];
}
