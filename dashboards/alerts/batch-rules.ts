import { batchAlerts } from '../../src/capabilities/batches/batches.alerts.ts';
import type { RuleGroup } from './alert-rule.ts';
import type { RuleTerms } from './rule-terms.ts';

/** Batches: those that stand still, stopped, are late, or of which nobody knows whether a provider has them. */
export function batchRules(terms: RuleTerms): RuleGroup {
  return { name: 'millrace-batches', alerts: batchAlerts(terms) };
}
