import { describe, expect, it } from 'vitest';
import { defaultRetryLimits as limits, pauseBeforeRetry, readRetryAfter } from './retry-policy.ts';

const passing = { retryable: true, retryAfterMs: undefined };

describe('a call that failed', () => {
  it('is made again after ever longer pauses, and not without an end', () => {
    const pauses = [0, 1, 2, 3, 4, 5].map((retries) =>
      pauseBeforeRetry(passing, { retries, limits, random: 1 }),
    );
    expect(pauses).toEqual([250, 500, 1000, 2000, 4000, undefined]);
    expect(pauseBeforeRetry(passing, { retries: 0, limits, random: 0 })).toBe(125);
    expect(pauseBeforeRetry(passing, { retries: 25, limits: { ...limits, maxRetries: 30 }, random: 1 })).toBe(
      15_000,
    );
  });

  it('is not made again when that cannot help', () => {
    expect(
      pauseBeforeRetry({ ...passing, retryable: false }, { retries: 0, limits, random: 0 }),
    ).toBeUndefined();
  });

  it('waits as long as the server wants, and a little more or less at random, but not for hours', () => {
    const wanted = { retryable: true, retryAfterMs: 10_000 };
    expect(pauseBeforeRetry(wanted, { retries: 0, limits, random: 0 })).toBe(10_000);
    expect(pauseBeforeRetry(wanted, { retries: 0, limits, random: 0.5 })).toBe(10_500);
    expect(
      pauseBeforeRetry({ ...wanted, retryAfterMs: 60_001 }, { retries: 0, limits, random: 0 }),
    ).toBeUndefined();
    // A server that says "at once" is not asked in a loop.
    expect(pauseBeforeRetry({ ...wanted, retryAfterMs: 0 }, { retries: 2, limits, random: 0 })).toBe(500);
  });
});

describe('Retry-After', () => {
  it('is seconds or a date', () => {
    const nowMs = Date.parse('2026-11-30T12:00:00Z');
    expect(readRetryAfter('7', nowMs)).toBe(7000);
    expect(readRetryAfter('Mon, 30 Nov 2026 12:00:09 GMT', nowMs)).toBe(9000);
    expect(readRetryAfter('Mon, 30 Nov 2026 11:00:00 GMT', nowMs)).toBe(0);
    for (const nothing of [null, '', ' ', 'soon', '-5x'])
      expect(readRetryAfter(nothing, nowMs)).toBeUndefined();
  });
});
