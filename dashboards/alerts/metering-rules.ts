import type { RuleGroup } from './alert-rule.ts';
import { sinceUnseen, type RuleTerms } from './rule-terms.ts';

/** Usage on its way to ClickHouse, calls of unknown outcome, and complete origins. */
export function meteringRules(terms: RuleTerms): RuleGroup {
  const limits = terms.thresholds.metering;
  const stuckWindow = terms.minutes(limits.stuckWindowMinutes);
  const about = { identity: ['job'], board: { uid: 'millrace-metering' } } as const;
  return {
    name: 'millrace-metering',
    alerts: [
      {
        ...about,
        alert: 'MillraceMeteringLag',
        expr: `max by (job) (millrace_export_lag_seconds) > ${terms.seconds(limits.lagSeconds)}`,
        forMinutes: limits.lagForMinutes,
        severity: 'warning',
        incident: 'metering',
        summary: 'Usage has waited {{ humanizeDuration $value }} to reach ClickHouse',
        description:
          'Reports and cost boards are behind by that much. Nothing is lost: it waits in the ledger.',
        runbook: 'metering.md#export-lag',
      },
      {
        ...about,
        alert: 'MillraceMeteringStuck',
        expr: [
          `max by (job) (min_over_time(millrace_export_pending_records[${stuckWindow}])) > 0`,
          `and on (job) sum by (job) (increase(millrace_metering_events_total{result="flushed"}[${stuckWindow}])) == 0`,
        ].join('\n'),
        forMinutes: limits.stuckForMinutes,
        severity: 'critical',
        incident: 'metering',
        summary: `{{ printf "%.0f" $value }} usage records or more wait, and none reached ClickHouse for ${limits.stuckWindowMinutes} minutes`,
        description: 'The outbox grows until ClickHouse takes records again, or a maintenance process runs.',
        runbook: 'metering.md#stuck',
      },
      {
        ...about,
        alert: 'MillraceMeteringDropped',
        expr: sinceUnseen(
          'sum by (job)',
          'millrace_metering_events_total{result="dropped"}',
          terms.minutes(limits.unpricedWindowMinutes),
        ),
        severity: 'critical',
        incident: 'metering-loss',
        summary: '{{ printf "%.0f" $value }} usage records were lost',
        description: 'This must not happen: the ledger and ClickHouse no longer agree.',
        runbook: 'metering.md#lost-records',
      },
      {
        ...about,
        alert: 'MillraceCallsUnsettled',
        expr: `max by (job) (millrace_calls_unsettled_oldest_seconds) > ${terms.seconds(limits.unsettledAgeSeconds)}`,
        forMinutes: limits.unsettledForMinutes,
        severity: 'warning',
        incident: 'unsettled',
        summary: 'A call of unknown outcome has been open for {{ humanizeDuration $value }}',
        description: 'It may have been billed. Reports carry its upper bound until it is reconciled.',
        runbook: 'metering.md#unsettled-calls',
      },
      {
        ...about,
        alert: 'MillraceOriginIncomplete',
        expr: `min by (job) (millrace_origin_coverage_ratio) < ${limits.originCoverageRatio}`,
        severity: 'critical',
        incident: 'origin',
        summary: 'Only {{ humanizePercentage $value }} of calls and messages have a complete origin',
        description: 'Normal is 100 %: whatever lacks an origin is paid by nobody.',
        runbook: 'metering.md#incomplete-origins',
      },
    ],
  };
}
