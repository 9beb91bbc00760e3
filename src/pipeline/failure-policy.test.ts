import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '../kernel/app-error.ts';
import { type ErrorCode, errorCodes } from '../kernel/error-codes.ts';
import { InvariantError } from '../kernel/invariant.ts';
import { decideFailure, failureCode } from './failure-policy.ts';

const policy = { attempts: 3, backoffMs: [1000, 5000, 25_000], jitter: 0.2 };
const attempt = { attemptsBefore: 0, policy, interrupted: false, random: 0.5 };

describe('decideFailure', () => {
  it('follows the code table for every code: tried again while attempts are left, or given up at once', () => {
    for (const code of Object.keys(errorCodes) as ErrorCode[]) {
      const decision = decideFailure({ ...attempt, error: new AppError(code, 'x') });
      expect(decision.kind, code).toBe(errorCodes[code].retryable ? 'retry' : 'dead_letter');
    }
  });

  it('waits 1 s, 5 s, 25 s and then gives up', () => {
    const error = new AppError('MILLRACE_DATABASE_UNAVAILABLE', 'x');
    const decisions = [0, 1, 2, 3].map((attemptsBefore) =>
      decideFailure({ ...attempt, attemptsBefore, error }),
    );
    expect(decisions).toEqual([
      { kind: 'retry', delayMs: 1000 },
      { kind: 'retry', delayMs: 5000 },
      { kind: 'retry', delayMs: 25_000 },
      { kind: 'dead_letter', why: 'attempts_exhausted' },
    ]);
  });

  it('keeps every pause within the jitter, and never under what the provider asked for', () => {
    fc.assert(
      fc.property(
        fc.nat(2),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.nat(100_000),
        (attemptsBefore, random, retryAfterMs) => {
          const error = new AppError('MILLRACE_DATABASE_UNAVAILABLE', 'x', { retryAfterMs });
          const decision = decideFailure({ ...attempt, attemptsBefore, random, error });
          const planned = policy.backoffMs[attemptsBefore] ?? 0;
          if (decision.kind !== 'retry') return false;
          const upper = Math.max(planned * 1.2, retryAfterMs) + 1;
          return (
            decision.delayMs >= retryAfterMs &&
            decision.delayMs >= planned * 0.8 - 1 &&
            decision.delayMs <= upper
          );
        },
      ),
    );
  });

  it('tries an unknown error again, but not a broken invariant', () => {
    expect(decideFailure({ ...attempt, error: new Error('x') }).kind).toBe('retry');
    expect(decideFailure({ ...attempt, error: 'text' }).kind).toBe('retry');
    expect(decideFailure({ ...attempt, error: new InvariantError('x') })).toEqual({
      kind: 'dead_letter',
      why: 'not_retryable',
    });
  });

  it('hands back what the host itself interrupted, whatever the error', () => {
    expect(
      decideFailure({ ...attempt, interrupted: true, attemptsBefore: 99, error: new Error('x') }),
    ).toEqual({ kind: 'hand_back' });
  });

  it('names a failure by its code', () => {
    expect(failureCode(new AppError('MILLRACE_STAGE_TIMEOUT', 'x'))).toBe('MILLRACE_STAGE_TIMEOUT');
    expect(failureCode(new TypeError('x'))).toBe('MILLRACE_STAGE_FAILED');
  });
});
