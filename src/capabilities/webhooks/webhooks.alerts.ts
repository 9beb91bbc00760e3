import type { Alert } from '../../../dashboards/alerts/alert-rule.ts';
import type { RuleTerms } from '../../../dashboards/alerts/rule-terms.ts';

/** Webhooks that need somebody. None names the endpoint: callers make them, and the list of webhooks names it. */
export function webhookAlerts(terms: RuleTerms): readonly Alert[] {
  const limits = terms.thresholds.webhooks;
  const about = { identity: ['job'], board: { uid: 'millrace-batches' } } as const;
  return [
    {
      ...about,
      alert: 'MillraceWebhookNotTaken',
      expr: `max by (job) (millrace_webhook_oldest_waiting_seconds) > ${terms.seconds(limits.waitsSeconds)}`,
      forMinutes: limits.waitsForMinutes,
      severity: 'warning',
      incident: 'webhook',
      summary: 'A webhook has not taken what it was sent for {{ humanizeDuration $value }}',
      description:
        'It is sent again, with longer and longer pauses, ten times in some three days; then the endpoint is disabled. Whoever waits for the end of a batch or request there does not know of it.',
      runbook: 'webhooks.md#a-webhook-does-not-take-what-it-is-sent',
    },
    {
      ...about,
      alert: 'MillraceWebhookDisabled',
      expr: 'max by (job) (millrace_webhook_endpoints_disabled{cause="exhausted"}) > 0',
      forMinutes: limits.disabledForMinutes,
      severity: 'warning',
      incident: 'webhook_disabled',
      summary: '{{ printf "%.0f" $value }} webhooks are disabled: they took nothing for some three days',
      description:
        'Nothing is sent there any more; what is for them waits, until somebody enables or deletes them, or it is too old.',
      runbook: 'webhooks.md#a-webhook-is-disabled',
    },
  ];
}
