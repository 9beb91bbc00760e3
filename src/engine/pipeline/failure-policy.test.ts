import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../kernel/app-error.ts';
import { InvalidOutput } from '../invalid-output.ts';
import { type ErrorCode, errorCodes } from '../../kernel/error-codes.ts';
import { InvariantError } from '../../kernel/invariant.ts';
import { decideFailure, failureCode, type FailureDecision } from './failure-policy.ts';

function named(name: string, cause?: unknown): Error {
  const error = new Error('x', { cause });
  error.name = name;
  return error;
}

const policy = { maxAttempts: 4, backoffMs: [1000, 5000, 25_000], jitter: 0.2 };
const invalidOutputPolicy = { maxAttempts: 3, backoffMs: [2000], jitter: 0.2 };
const attempt = {
  attemptsBefore: 0,
  invalidOutputsBefore: 0,
  policy,
  invalidOutputPolicy,
  interrupted: false,
  random: 0.5,
};

/** The codes that are neither tried again nor given up at once, as the table's `retryable` says. */
const special: Partial<Record<ErrorCode, FailureDecision['kind']>> = {
  MILLRACE_WORK_PARKED: 'park',
  MILLRACE_LEASE_EXPIRED: 'release',
  MILLRACE_MESSAGE_CANCELLED: 'cancel',
};

describe('decideFailure', () => {
  it('follows the code table for every code: tried again, given up, put aside, released or cancelled', () => {
    for (const code of Object.keys(errorCodes) as ErrorCode[]) {
      const decision = decideFailure({ ...attempt, error: new AppError(code, 'x') });
      const expected = special[code] ?? (errorCodes[code].retryable ? 'retry' : 'dead_letter');
      expect(decision.kind, code).toBe(expected);
      // A thrower that knows better than the table is believed, where it is a matter of trying again.
      const contrary = decideFailure({
        ...attempt,
        error: new AppError(code, 'x', { retryable: !errorCodes[code].retryable }),
      });
      if (special[code] === undefined && code !== 'MILLRACE_OUTPUT_INVALID') {
        expect(contrary.kind, code).toBe(errorCodes[code].retryable ? 'dead_letter' : 'retry');
      }
    }
  });

  it.each([
    ['a rejection', new InvalidOutput('too short')],
    ['a rejection that the handler wrapped', new Error('x', { cause: new InvalidOutput('too short') })],
    ['no object in the text', named('AI_NoObjectGeneratedError')],
    ['text that is no JSON', named('AI_JSONParseError')],
    ['an object that fails its schema', named('AI_TypeValidationError')],
  ])('counts %s apart from other failures, until its own attempts are used up', (_what, error) => {
    const used = { ...attempt, attemptsBefore: 99, error };
    expect([0, 1, 2].map((invalidOutputsBefore) => decideFailure({ ...used, invalidOutputsBefore }))).toEqual(
      [
        { kind: 'retry', delayMs: 2000, isInvalidOutput: true },
        { kind: 'retry', delayMs: 2000, isInvalidOutput: true },
        { kind: 'dead_letter', why: 'invalid_output' },
      ],
    );
    expect(failureCode(error)).toBe('MILLRACE_OUTPUT_INVALID');
  });

  it('sees the temporary fault behind an output that is missing', () => {
    const cut = new AppError('MILLRACE_MODEL_NETWORK', 'the stream broke');
    const error = named('AI_NoOutputGeneratedError', cut);
    expect(decideFailure({ ...attempt, error })).toMatchObject({ kind: 'retry', isInvalidOutput: false });
  });

  it('waits 1 s, 5 s, 25 s and then gives up', () => {
    const error = new AppError('MILLRACE_DATABASE_UNAVAILABLE', 'x');
    const decisions = [0, 1, 2, 3].map((attemptsBefore) =>
      decideFailure({ ...attempt, attemptsBefore, error }),
    );
    expect(decisions).toEqual([
      { kind: 'retry', delayMs: 1000, isInvalidOutput: false },
      { kind: 'retry', delayMs: 5000, isInvalidOutput: false },
      { kind: 'retry', delayMs: 25_000, isInvalidOutput: false },
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

  it('releases what the host itself interrupted, whatever the error', () => {
    expect(
      decideFailure({ ...attempt, interrupted: true, attemptsBefore: 99, error: new Error('x') }),
    ).toEqual({ kind: 'release' });
  });

  it('names a failure by its code', () => {
    expect(failureCode(new AppError('MILLRACE_STAGE_TIMEOUT', 'x'))).toBe('MILLRACE_STAGE_TIMEOUT');
    expect(failureCode(new TypeError('x'))).toBe('MILLRACE_STAGE_FAILED');
  });
});
