import type { RuleGroup } from './alert-rule.ts';
import type { RuleTerms } from './rule-terms.ts';
import { closedNames } from '../../src/host/closed-names.ts';

/** The processes themselves, their background jobs and bounds, and the alerting. */
export function processRules(terms: RuleTerms): RuleGroup {
  const {
    boundNearRatio,
    boundNearForMinutes,
    jobFailingSeconds,
    clockOffSeconds,
    clockOffForMinutes,
    clockJumpWindowMinutes,
    targetDownForMinutes,
    absentForMinutes,
  } = terms.thresholds.process;
  const jumpWindow = terms.minutes(clockJumpWindowMinutes);
  const vital = closedNames.vitalJobs.join('|');
  const failing = (jobs: string): string =>
    `max by (job, instance, background_job) (millrace_background_failing_seconds{${jobs}}) > ${terms.seconds(jobFailingSeconds)}`;
  const aboutJob = {
    identity: ['job', 'instance', 'background_job'],
    incident: 'background-jobs',
    board: { uid: 'millrace-metering' },
  } as const;
  return {
    name: 'millrace-processes',
    alerts: [
      {
        alert: 'MillraceBoundNear',
        identity: ['job', 'bound'],
        expr: `max by (job, bound) (millrace_bound_used_ratio{bound!~"${closedNames.boundsFullUnderLoad.join('|')}"}) > ${boundNearRatio}`,
        forMinutes: boundNearForMinutes,
        severity: 'warning',
        incident: 'bounds',
        summary: 'The bound "{{ $labels.bound }}" is {{ humanizePercentage $value }} used',
        description:
          'At the bound, work waits, is refused or spills; nothing is lost. The runbook says which.',
        board: { uid: 'millrace-metering' },
        runbook: 'bounds.md#near-a-bound',
      },
      {
        ...aboutJob,
        alert: 'MillraceVitalBackgroundJobFailing',
        expr: failing(`background_job=~"${vital}"`),
        severity: 'critical',
        summary:
          'Messages may stand still: {{ $labels.background_job }} of {{ $labels.instance }} has failed for {{ humanizeDuration $value }}',
        description:
          'Every turn of this background job failed. Messages that the queue forgot, or that a pause or a budget has released, wait until it succeeds.',
        runbook: 'background-jobs.md#messages-stand-still',
      },
      {
        ...aboutJob,
        alert: 'MillraceBackgroundJobFailing',
        expr: failing(`background_job!~"${vital}"`),
        severity: 'warning',
        summary:
          'The background job {{ $labels.background_job }} of {{ $labels.instance }} has failed for {{ humanizeDuration $value }}',
        description:
          'Every turn of this background job failed. Messages go on; the runbook says what does not.',
        runbook: 'background-jobs.md#a-background-job-fails',
      },
      {
        alert: 'MillraceClockOff',
        identity: ['job', 'instance'],
        expr: `max by (job, instance) (abs(millrace_clock_offset_seconds)) > ${clockOffSeconds}`,
        forMinutes: clockOffForMinutes,
        severity: 'warning',
        incident: 'clocks',
        summary: 'The clock of {{ $labels.instance }} is {{ humanizeDuration $value }} from the ledger’s',
        description:
          'Budgets, prices and reports go by the ledger’s clock and agree. Logs, traces and delayed notifications of this process do not.',
        board: { uid: 'millrace-metering' },
        runbook: 'clocks.md#a-clock-is-off',
      },
      {
        alert: 'MillraceClockJumped',
        identity: ['job', 'instance', 'clock'],
        expr: `sum by (job, instance, clock) (increase(millrace_clock_jumps_total[${jumpWindow}])) > 0`,
        severity: 'warning',
        incident: 'clock_jumps',
        summary: 'The clock of the {{ $labels.clock }} jumped, as {{ $labels.instance }} saw it',
        description:
          'The log of the instance says by how much. A jump of the ledger’s clock moves the windows of budgets, leases and reports with it.',
        board: { uid: 'millrace-metering' },
        runbook: 'clocks.md#a-clock-jumped',
      },
      {
        alert: 'MillraceTargetDown',
        identity: ['job', 'instance'],
        expr: 'max by (job, instance) (up{job=~"millrace.*"}) == 0',
        forMinutes: targetDownForMinutes,
        severity: 'critical',
        incident: 'scrape',
        summary: '{{ $labels.instance }} cannot be scraped',
        description:
          'The process is gone, hangs, or the network is cut. Its messages pass to others when their leases run out.',
        board: { uid: 'millrace-overview' },
        runbook: 'scrape.md#target-down',
      },
      {
        alert: 'MillraceAbsent',
        identity: [],
        expr: 'absent(millrace_build_info)',
        forMinutes: absentForMinutes,
        severity: 'critical',
        incident: 'absent',
        summary: 'No Millrace process is being scraped',
        description: 'Nothing else here can fire without metrics.',
        board: { uid: 'millrace-overview' },
        runbook: 'scrape.md#absent',
      },
      {
        alert: 'Watchdog',
        identity: [],
        expr: 'vector(1)',
        severity: 'none',
        incident: 'watchdog',
        summary: 'Always firing: its silence means that alerting is broken',
        description: 'Goes to the dead-man receiver, which must raise the alarm when it stops.',
        board: { uid: 'millrace-overview' },
        runbook: 'watchdog.md#silence',
      },
    ],
  };
}
