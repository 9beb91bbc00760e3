import { AppError } from '../kernel/app-error.ts';
import { findParked, type ParkReason } from '../kernel/parked.ts';
import type { RetryPolicy } from './stage-definition.ts';

/*
 * What becomes of a message whose attempt failed: one pure decision.
 *
 *   the lease was lost, or the host stops  ─► hand back, no attempt counted
 *   it may not go on now (pause, limit)    ─► park, no attempt counted
 *   may pass, attempts left                ─► retry after a pause (the provider's own, when it named one)
 *   may pass, none left                    ─► dead letter
 *   cannot pass (bad input, refusal, bug)  ─► dead letter at once
 */

export type FailureDecision =
  | { readonly kind: 'hand_back' }
  | {
      readonly kind: 'park';
      readonly reason: ParkReason;
      readonly delayMs: number | undefined;
      readonly parkedFor: string | undefined;
    }
  | { readonly kind: 'retry'; readonly delayMs: number }
  | { readonly kind: 'dead_letter'; readonly why: 'not_retryable' | 'attempts_exhausted' };

export interface FailedAttempt {
  readonly error: unknown;
  /** Attempts that had failed before this one. */
  readonly attemptsBefore: number;
  readonly policy: RetryPolicy;
  /** The host is stopping or the lease is gone: the failure is ours, not the message's. */
  readonly interrupted: boolean;
  /** A number from 0 up to 1, for the jitter. */
  readonly random: number;
}

export function decideFailure(failed: FailedAttempt): FailureDecision {
  if (failed.interrupted) return { kind: 'hand_back' };
  const parked = findParked(failed.error);
  if (parked !== undefined) {
    const { reason, delayMs, parkedFor } = parked;
    return { kind: 'park', reason, delayMs, parkedFor };
  }
  if (!isRetryable(failed.error)) return { kind: 'dead_letter', why: 'not_retryable' };
  if (failed.attemptsBefore >= failed.policy.attempts)
    return { kind: 'dead_letter', why: 'attempts_exhausted' };
  return { kind: 'retry', delayMs: retryDelayMs(failed) };
}

/** The error's code: an AppError's own, or MILLRACE_STAGE_FAILED for whatever else a handler threw. */
export function failureCode(error: unknown): string {
  return error instanceof AppError ? error.code : 'MILLRACE_STAGE_FAILED';
}

/** An error that carries no knowledge of its own (a plain throw in a handler) is tried again: it may have been the weather. */
function isRetryable(error: unknown): boolean {
  if (error instanceof AppError) return error.retryable;
  return !(error instanceof Error && error.name === 'InvariantError');
}

function retryDelayMs({ error, attemptsBefore, policy, random }: FailedAttempt): number {
  const { backoffMs, jitter } = policy;
  const planned = backoffMs[Math.min(attemptsBefore, backoffMs.length - 1)] ?? 0;
  const jittered = planned * (1 + jitter * (2 * random - 1));
  const asked = error instanceof AppError ? (error.retryAfterMs ?? 0) : 0;
  return Math.round(Math.max(jittered, asked));
}
