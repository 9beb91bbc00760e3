import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adaptedConcurrency } from './adaptive-concurrency.ts';

const bounds = { min: 2, max: 20 };
const quiet = { peak: 0, parked: 0, waited: 0, lagMs: 0 };

describe('adaptedConcurrency', () => {
  it('goes up by one when every slot was used', () => {
    expect(adaptedConcurrency(8, bounds, { ...quiet, peak: 8 })).toBe(9);
    expect(adaptedConcurrency(8, bounds, { ...quiet, peak: 7 })).toBe(8);
  });

  it('is halved when messages were put aside, or the event loop is late', () => {
    expect(adaptedConcurrency(9, bounds, { ...quiet, peak: 9, parked: 1 })).toBe(4);
    expect(adaptedConcurrency(9, bounds, { ...quiet, peak: 9, lagMs: 500 })).toBe(4);
  });

  it('stays while requests wait for their limit: another slot would only wait, too', () => {
    expect(adaptedConcurrency(8, bounds, { ...quiet, peak: 8, waited: 3 })).toBe(8);
  });

  it('never leaves its bounds', () => {
    const load = fc.record({ peak: fc.nat(50), parked: fc.nat(3), waited: fc.nat(3), lagMs: fc.nat(400) });
    fc.assert(
      fc.property(fc.array(load), (loads) => {
        let current = bounds.min;
        for (const seen of loads) {
          current = adaptedConcurrency(current, bounds, seen);
          expect(current).toBeGreaterThanOrEqual(bounds.min);
          expect(current).toBeLessThanOrEqual(bounds.max);
        }
      }),
    );
  });
});
