import { describe, expect, it } from 'vitest';
import { AppError } from '../kernel/app-error.ts';
import { startOf } from './start-time.ts';

const now = new Date('2026-03-01T12:00:00Z');

function refusalOf(options: object): readonly string[] {
  try {
    startOf(options, now);
  } catch (error) {
    if (error instanceof AppError) return error.faults.map(({ field }) => field);
    throw error;
  }
  return [];
}

describe('the start of a message', () => {
  it('is a time that is still to come, as a date or as text with its offset', () => {
    const at = new Date('2026-03-02T11:00:00Z');
    expect(startOf({ startAt: at }, now)).toEqual({ kind: 'at', at });
    expect(startOf({ startAt: '2026-03-02T12:00:00+01:00' }, now)).toEqual({ kind: 'at', at });
  });

  it('is a delay in words or in milliseconds', () => {
    expect(startOf({ delay: '90s' }, now)).toEqual({ kind: 'after', delayMs: 90_000 });
    expect(startOf({ delay: 250 }, now)).toEqual({ kind: 'after', delayMs: 250 });
  });

  it('is at once without either, after no delay, and when the time has passed', () => {
    for (const options of [{}, { delay: 0 }, { startAt: now }, { startAt: '0001-01-01T00:00:00Z' }]) {
      expect(startOf(options, now)).toBeUndefined();
    }
  });

  it('lies at most 366 days ahead', () => {
    expect(refusalOf({ delay: '366d' })).toEqual([]);
    expect(refusalOf({ delay: '366.01d' })).toEqual(['delay']);
    expect(refusalOf({ startAt: '2027-03-02T12:00:00Z' })).toEqual([]);
    expect(refusalOf({ startAt: '2027-03-02T12:00:01Z' })).toEqual(['startAt']);
  });

  it.each([
    ['startAt', 'tomorrow'],
    ['startAt', '2026-03-02'],
    ['startAt', '2026-03-02T12:00:00'],
    ['startAt', '2026-02-30T12:00:00Z'],
    ['startAt', new Date(Number.NaN)],
    ['delay', -1],
    ['delay', Number.POSITIVE_INFINITY],
    ['delay', '5 s'],
    ['delay', '1w'],
    ['delay', `${'9'.repeat(400)}d`],
  ])('is refused with %s = %j', (field, value) => {
    expect(refusalOf({ [field]: value })).toEqual([field]);
  });

  it('is one of the two', () => {
    expect(refusalOf({ startAt: now, delay: '5s' })).toEqual(['delay']);
  });
});
