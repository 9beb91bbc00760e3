import { AppError } from '../../kernel/app-error.ts';
import { waitName } from '../ledger/wait-name.ts';
import { type FailureDecision, failureCode } from './failure-policy.ts';

/** The name under which the ledger notes why a message is put off: what is away, or the failure that is tried again. */
export function waitNameOf(
  decision: Extract<FailureDecision, { kind: 'park' | 'retry' }>,
  error: unknown,
): string {
  if (decision.kind === 'park') return decision.parkedFor ?? waitName(decision.reason, decision.about);
  const asked = error instanceof AppError ? (error.retryAfterMs ?? 0) : 0;
  const isAskedFor = asked > 0 && Math.round(asked) >= decision.delayMs;
  return waitName(isAskedFor ? 'retry_after' : 'retry', failureCode(error));
}
