import type { RuleGroup } from './alert-rule.ts';
import type { RuleTerms } from './rule-terms.ts';

/** The processes themselves, their bounds, and the alerting. */
export function processRules(terms: RuleTerms): RuleGroup {
  const { boundNearRatio, boundNearForMinutes, targetDownForMinutes, absentForMinutes } =
    terms.thresholds.process;
  return {
    name: 'millrace-processes',
    alerts: [
      {
        alert: 'MillraceBoundNear',
        identity: ['job', 'bound'],
        expr: `max by (job, bound) (millrace_bound_used_ratio) > ${boundNearRatio}`,
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
