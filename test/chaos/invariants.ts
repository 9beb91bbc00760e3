import { checkBatchCosts, checkBatchReports } from './check-batch-money.ts';
import { checkBatchEnds, checkBatchOutputs } from './check-batches.ts';
import { checkFencingTokens } from './check-fencing-tokens.ts';
import { checkEffects, checkEnds, checkLeftovers, checkOrigins } from './check-messages.ts';
import { checkJoins } from './check-joins.ts';
import { checkMoney, checkReuse } from './check-money.ts';
import { checkPauses } from './check-pauses.ts';
import { checkLimits } from './check-limits.ts';
import { checkOddInput } from './check-odd-input.ts';
import { checkProviderBatches } from './check-provider-batches.ts';
import { checkReports } from './check-reports.ts';
import { checkTurns } from './check-turns.ts';
import { checkUntrueUsage } from './check-untrue-usage.ts';
import type { Evidence } from './evidence.ts';
import type { InvariantResult } from './invariant-check.ts';

/** Every invariant over the evidence of a run, in order. */
export function checkInvariants(evidence: Evidence): readonly InvariantResult[] {
  return [
    checkEnds(evidence),
    checkEffects(evidence),
    checkMoney(evidence),
    checkReuse(evidence),
    checkFencingTokens(evidence),
    checkLimits(evidence),
    checkOrigins(evidence),
    checkPauses(evidence),
    checkTurns(evidence),
    checkLeftovers(evidence),
    checkOddInput(evidence),
    checkUntrueUsage(evidence),
    checkReports(evidence),
    checkBatchEnds(evidence),
    checkBatchOutputs(evidence),
    checkProviderBatches(evidence),
    checkBatchCosts(evidence),
    checkBatchReports(evidence),
    checkJoins(evidence),
  ];
}
