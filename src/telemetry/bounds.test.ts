import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Bounds, Peak } from './bounds.ts';

describe('bounds', () => {
  it('show the fullest of those that share a name', () => {
    const bounds = new Bounds();
    bounds.register('ledger_admit', { limit: 10, takePeak: () => 1 });
    bounds.register('ledger_admit', { limit: 4, takePeak: () => 3 });
    bounds.register('outbox', { limit: 4, takePeak: () => 1 });
    expect(bounds.read()).toEqual(
      new Map([
        ['ledger_admit', 0.75],
        ['outbox', 0.25],
      ]),
    );
  });

  it('are between 0 and 1, whatever the level and the limit', () => {
    fc.assert(
      fc.property(fc.integer({ min: -5, max: 50 }), fc.nat({ max: 20 }), (level, limit) => {
        const bounds = new Bounds();
        bounds.register('outbox', { limit, takePeak: () => level });
        const ratio = bounds.read().get('outbox') ?? -1;
        expect(ratio).toBeGreaterThanOrEqual(0);
        expect(ratio).toBeLessThanOrEqual(1);
        if (level >= limit && level > 0) expect(ratio).toBe(1);
      }),
    );
  });

  it('remember a peak for one reading', () => {
    const peak = new Peak();
    for (const level of [2, 7, 3]) peak.note(level);
    expect(peak.take(3)).toBe(7);
    expect(peak.take(1)).toBe(3);
    expect(peak.take(1)).toBe(1);
  });
});
