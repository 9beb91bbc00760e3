import { AppError } from '../../kernel/app-error.ts';
import { findParked } from '../parked.ts';
import { failureKind } from './failure-kind.ts';
import type { RetryPolicy } from './stage-definition.ts';

/*
 * What happens to a message whose attempt failed: one pure decision.
 *
 *   interrupted (lease expired, host stops)   ─► release, no attempt counted; a lost lease counts as an expired lease
 *   parked (pause, limit, quota)           ─► park, no attempt counted
 *   cancelled (not wanted any more)        ─► cancelled
 *   transient, attempts left               ─► retry after a pause (the provider's own, when it named one)
 *   invalid output, invalid-output attempts left   ─► retry after a pause, counted apart
 *   either, none left                      ─► dead letter
 *   permanent (bad input, refusal, bug,
 *     too many runs lost)                  ─► dead letter at once
 */

export type FailureDecision =
  | { readonly kind: 'release' }
  | {
      readonly kind: 'park';
      readonly reason: string;
      /** What is short or away, for people. */
      readonly about: string | undefined;
      readonly delayMs: number | undefined;
      readonly parkedFor: string | undefined;
    }
  | { readonly kind: 'cancel' }
  | { readonly kind: 'retry'; readonly delayMs: number; readonly isInvalidOutput: boolean }
  | { readonly kind: 'dead_letter'; readonly why: GivenUp };

/** Why a message is given up. */
export type GivenUp = 'not_retryable' | 'attempts_exhausted' | 'invalid_output';

/** The longest that a message is put off; timers and the ledger count so far. */
const maxDelayMs = 2 ** 31 - 1;

export interface FailedAttempt {
  readonly error: unknown;
  /** Attempts that had failed before this one, invalid-output ones not among them. */
  readonly attemptsBefore: number;
  readonly invalidOutputsBefore: number;
  readonly policy: RetryPolicy;
  readonly invalidOutputPolicy: RetryPolicy;
  /** The host is stopping or the lease is gone: the failure is ours, not the message's. */
  readonly interrupted: boolean;
  /** A number from 0 up to 1, for the jitter. */
  readonly random: number;
}

export function decideFailure(failed: FailedAttempt): FailureDecision {
  if (failed.interrupted) return { kind: 'release' };
  const kind = failureKind(failed.error);
  switch (kind) {
    case 'interrupted':
      return { kind: 'release' };
    case 'cancelled':
      return { kind: 'cancel' };
    case 'permanent':
      return { kind: 'dead_letter', why: 'not_retryable' };
    case 'parked': {
      const parked = findParked(failed.error);
      // One that says nothing more is tried again as after a failure, uncounted.
      if (parked === undefined)
        return {
          kind: 'park',
          reason: 'pause',
          about: undefined,
          delayMs: retryDelayMs(failed, 0),
          parkedFor: undefined,
        };
      const { reason, about, parkedFor } = parked;
      const delayMs = parked.delayMs === undefined ? undefined : soundDelayMs(parked.delayMs);
      return { kind: 'park', reason, about, delayMs, parkedFor };
    }
    case 'transient': {
      const before = failed.attemptsBefore;
      if (before + 1 >= failed.policy.maxAttempts) return { kind: 'dead_letter', why: 'attempts_exhausted' };
      return { kind: 'retry', delayMs: retryDelayMs(failed, before), isInvalidOutput: false };
    }
    case 'invalid_output': {
      const { invalidOutputsBefore: before, invalidOutputPolicy: policy } = failed;
      if (before + 1 >= policy.maxAttempts) return { kind: 'dead_letter', why: 'invalid_output' };
      return { kind: 'retry', delayMs: retryDelayMs({ ...failed, policy }, before), isInvalidOutput: true };
    }
  }
}

/** The error's code: an AppError's own; for whatever else a handler threw, what it amounts to. */
export function failureCode(error: unknown): string {
  if (error instanceof AppError) return error.code;
  return failureKind(error) === 'invalid_output' ? 'MILLRACE_OUTPUT_INVALID' : 'MILLRACE_STAGE_FAILED';
}

function retryDelayMs({ error, policy, random }: FailedAttempt, before: number): number {
  const { backoffMs, jitter } = policy;
  const planned = backoffMs[Math.min(before, backoffMs.length - 1)] ?? 0;
  const jittered = planned * (1 + jitter * (2 * random - 1));
  const asked = error instanceof AppError ? (error.retryAfterMs ?? 0) : 0;
  return soundDelayMs(Math.max(jittered, Number.isNaN(asked) ? 0 : asked));
}

/** A delay that a clock can keep: what says "never" or nonsense is looked at again. */
function soundDelayMs(delayMs: number): number {
  return Number.isNaN(delayMs) ? 0 : Math.round(Math.min(maxDelayMs, Math.max(0, delayMs)));
}
