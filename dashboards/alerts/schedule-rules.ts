import { scheduleAlerts } from '../../src/capabilities/schedules/schedules.alerts.ts';
import type { RuleGroup } from './alert-rule.ts';
import type { RuleTerms } from './rule-terms.ts';

/** Schedules: those whose messages are refused, and all of them when nobody runs them. */
export function scheduleRules(terms: RuleTerms): RuleGroup {
  return { name: 'millrace-schedules', alerts: scheduleAlerts(terms) };
}
