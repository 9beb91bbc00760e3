import type { Alert, RuleGroup } from '../../../dashboards/alerts/alert-rule.ts';
import type { RuleTerms } from '../../../dashboards/alerts/rule-terms.ts';

/** Requests that are refused, wait for too long, or fail. */
export function requestRules(terms: RuleTerms): RuleGroup {
  return { name: 'millrace-requests', alerts: requestAlerts(terms) };
}

function requestAlerts(terms: RuleTerms): readonly Alert[] {
  const limits = terms.thresholds.requests;
  const about = { identity: ['job'], board: { uid: 'millrace-requests' } } as const;
  const ended = (where: string): string =>
    `sum by (job) (increase(millrace_requests_ended_total${where}[${terms.minutes(limits.failingWindowMinutes)}]))`;
  return [
    {
      ...about,
      alert: 'MillraceRequestsRefused',
      expr: `sum by (job) (increase(millrace_requests_refused_total{reason=~"backlog|unavailable"}[${terms.minutes(limits.refusedWindowMinutes)}])) > ${limits.refused}`,
      forMinutes: limits.refusedForMinutes,
      severity: 'critical',
      incident: 'requests_refused',
      summary: '{{ printf "%.0f" $value }} requests were refused in a few minutes',
      description:
        'Too much waits at the first stage of a pipeline, or a store is away. Clients are told to come again.',
      runbook: 'requests.md#requests-are-refused',
    },
    {
      ...about,
      alert: 'MillraceRequestsOld',
      expr: `max by (job) (millrace_request_oldest_open_seconds) > ${terms.seconds(limits.oldestSeconds)}`,
      forMinutes: limits.oldestForMinutes,
      severity: 'warning',
      incident: 'requests_old',
      summary: 'A request has not ended for {{ humanizeDuration $value }}',
      description:
        'Somebody waits for its result. Its messages wait, are paused, or are tried again and again.',
      runbook: 'requests.md#a-request-does-not-end',
    },
    {
      ...about,
      alert: 'MillraceRequestsFailing',
      expr: `${ended('{end="failed"}')} / ${ended('')} > ${limits.failingShare} and ${ended('')} >= ${limits.failingMinimum}`,
      forMinutes: limits.failingForMinutes,
      severity: 'warning',
      incident: 'requests_failing',
      summary: '{{ $value | humanizePercentage }} of the requests that ended failed',
      description:
        'Each has a dead letter that says why. A new request for the same would probably fail too.',
      runbook: 'requests.md#requests-fail',
    },
    {
      ...about,
      alert: 'MillraceRequestEventsDropped',
      expr: `sum by (job) (increase(millrace_request_events_dropped_total[${terms.minutes(limits.eventsWindowMinutes)}])) > ${limits.eventsDropped}`,
      forMinutes: limits.eventsForMinutes,
      severity: 'warning',
      incident: 'request_events',
      summary: '{{ printf "%.0f" $value }} events of requests were not written in some minutes',
      description:
        'Streams show clients less than happens: the store of logs (Redis) is away, full or too slow. Results are not concerned.',
      runbook: 'requests.md#streams-say-less',
    },
  ];
}
