import { deadLetterRules } from '../../src/capabilities/dead-letters/dead-letters.alerts.ts';
import { requestRules } from '../../src/capabilities/requests/requests.alerts.ts';
import type { RuleGroup } from './alert-rule.ts';
import { batchRules } from './batch-rules.ts';
import { costRules } from './cost-rules.ts';
import { meteringRules } from './metering-rules.ts';
import { modelRules } from './model-rules.ts';
import { processRules } from './process-rules.ts';
import { RuleTerms } from './rule-terms.ts';
import { scheduleRules } from './schedule-rules.ts';
import { stageRules } from './stage-rules.ts';
import { successRules } from './success-rules.ts';
import { webhookRules } from './webhook-rules.ts';

/** Every rule. `timeScale` multiplies their times, for tests. */
export function ruleGroups(timeScale = 1): readonly RuleGroup[] {
  const terms = new RuleTerms(timeScale);
  return [
    deadLetterRules(terms),
    stageRules(terms),
    successRules(terms),
    modelRules(terms),
    requestRules(terms),
    batchRules(terms),
    scheduleRules(terms),
    webhookRules(terms),
    costRules(terms),
    meteringRules(terms),
    processRules(terms),
  ];
}
