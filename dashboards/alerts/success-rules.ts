import type { Alert, Recording, RuleGroup } from './alert-rule.ts';
import type { RuleTerms } from './rule-terms.ts';

/*
 * The success objective by burn rate over two windows each: the long one says that it matters, the short one that it
 * still goes on. Below the floor of messages a single failure would be a large share: no alert.
 */
export function successRules(terms: RuleTerms): RuleGroup {
  const limits = terms.thresholds.success;
  const target = String(limits.sloTarget * 100);
  const burn = (parts: {
    readonly alert: string;
    readonly factor: number;
    readonly long: readonly [name: string, minutes: number];
    readonly short: string;
    readonly rest: Pick<Alert, 'forMinutes' | 'severity' | 'summary' | 'description' | 'runbook'>;
  }): Alert => {
    const share = `(${parts.factor} * (1 - ${limits.sloTarget}))`;
    const [long, minutes] = parts.long;
    return {
      ...parts.rest,
      alert: parts.alert,
      expr: [
        `${ratioName(long)} > ${share}`,
        `and ${ratioName(parts.short)} > ${share}`,
        `and on (owner, stage) sum by (owner, stage) (increase(${ended}[${terms.minutes(minutes)}])) >= ${limits.minimumMessages}`,
      ].join('\n'),
      incident: 'success',
      identity: ['owner', 'stage'],
      labels: { slo: target },
      board: { uid: 'millrace-stage', variables: ['stage'] },
    };
  };
  return {
    name: 'millrace-success',
    recordings: [
      {
        record: 'stage:millrace_messages:rate5m',
        expr: `sum by (owner, stage) (rate(millrace_stage_messages_total[${terms.minutes(5)}]))`,
      },
      ...windows.map(([name, minutes]) => ratio(name, terms.minutes(minutes))),
    ],
    alerts: [
      burn({
        alert: 'MillraceSuccessBurnFast',
        factor: limits.fastBurnFactor,
        long: ['1h', 60],
        short: '5m',
        rest: {
          forMinutes: limits.fastForMinutes,
          severity: 'critical',
          summary: '{{ $labels.stage }}: {{ humanizePercentage $value }} of messages failed in the last hour',
          description: `At this rate 2 % of the failures that ${target} % success allows in 30 days are used up each hour.`,
          runbook: 'success.md#fast',
        },
      }),
      burn({
        alert: 'MillraceSuccessBurnSlow',
        factor: limits.slowBurnFactor,
        long: ['6h', 360],
        short: '30m',
        rest: {
          forMinutes: limits.slowForMinutes,
          severity: 'warning',
          summary:
            '{{ $labels.stage }}: {{ humanizePercentage $value }} of messages failed in the last 6 hours',
          description: `At this rate the failures that ${target} % success allows in 30 days are used up in 5.`,
          runbook: 'success.md#slow',
        },
      }),
    ],
  };
}

const windows = [
  ['5m', 5],
  ['30m', 30],
  ['1h', 60],
  ['6h', 360],
] as const;

/** Messages that ended and count; those that were cancelled do not. */
const ended = 'millrace_stage_messages_total{outcome!="skipped"}';
const failed = 'millrace_stage_messages_total{outcome=~"failed|dead_lettered"}';

/** The name says the window in production, whatever the time scale. */
const ratioName = (window: string): string => `stage:millrace_messages_failed:ratio_rate${window}`;

function ratio(name: string, window: string): Recording {
  return {
    record: ratioName(name),
    expr: `sum by (owner, stage) (rate(${failed}[${window}]))\n/ (sum by (owner, stage) (rate(${ended}[${window}])) > 0)`,
  };
}
