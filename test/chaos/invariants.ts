import { checkFences } from './check-fences.ts';
import { checkEffects, checkEnds, checkLeftovers, checkOrigins } from './check-messages.ts';
import { checkMoney, checkReuse } from './check-money.ts';
import type { Evidence } from './evidence.ts';
import type { InvariantResult } from './invariant-check.ts';

/** Every invariant over the evidence of a run, in order. */
export function checkInvariants(evidence: Evidence): readonly InvariantResult[] {
  return [
    checkEnds(evidence),
    checkEffects(evidence),
    checkMoney(evidence),
    checkReuse(evidence),
    checkFences(evidence),
    unchecked('I6', 'retry caps, request, token and money budgets held', 'the host has no budgets yet'),
    checkOrigins(evidence),
    unchecked('I8', 'pauses respected', 'the run pauses nothing yet'),
    unchecked(
      'I9',
      'lane shares within 5 %, no customer starved',
      'one lane; test/scenarios/fair-shares.test.ts',
    ),
    checkLeftovers(evidence),
  ];
}

function unchecked(name: string, says: string, reason: string): InvariantResult {
  return { name, says, checks: 0, violations: [], unchecked: reason };
}
