import { describe, expect, it } from 'vitest';
import { RefusedBatches } from './refused-batches.ts';

const one = { id: 'one' };
const other = { id: 'other' };

describe('batches that the column store refuses', () => {
  it('are tried again after a second, then after twice as long each time, up to a minute', () => {
    const refused = new RefusedBatches();
    let nowMs = 0;
    const waits = Array.from({ length: 8 }, () => {
      expect(refused.due([one], nowMs)).toEqual([one]);
      const waitMs = refused.note('one', nowMs);
      expect(refused.due([one], nowMs + waitMs - 1)).toEqual([]);
      nowMs += waitMs;
      return waitMs;
    });
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  });

  it('hold up nothing but themselves', () => {
    const refused = new RefusedBatches();
    refused.note('one', 0);
    expect(refused.due([one, other], 10)).toEqual([other]);
  });

  it('begin anew when they were gone', () => {
    const refused = new RefusedBatches();
    refused.note('one', 0);
    refused.note('one', 1000);
    refused.due([other], 2000);
    expect(refused.due([one], 2000)).toEqual([one]);
    expect(refused.note('one', 2000)).toBe(1000);
  });
});
