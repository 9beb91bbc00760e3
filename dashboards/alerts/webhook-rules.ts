import { webhookAlerts } from '../../src/capabilities/webhooks/webhooks.alerts.ts';
import type { RuleGroup } from './alert-rule.ts';
import type { RuleTerms } from './rule-terms.ts';

/** Webhooks: those that take nothing, and those that were disabled for it. */
export function webhookRules(terms: RuleTerms): RuleGroup {
  return { name: 'millrace-webhooks', alerts: webhookAlerts(terms) };
}
