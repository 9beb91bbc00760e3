import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LaneTimes, type LaneWeights, initialTimes, timesAfterClaim } from './lane-shares.ts';

/** One claim, as the ledger makes it: the earliest of the candidates. Takes them out of `waiting`. */
function claim(
  times: LaneTimes,
  weights: LaneWeights,
  waiting: Record<string, number>,
  wanted: number,
): { readonly times: LaneTimes; readonly taken: Record<string, number> } {
  const candidates = Object.entries(weights)
    .flatMap(([lane, weight]) =>
      Array.from({ length: Math.min(wanted, waiting[lane] ?? 0) }, (_, place) => ({
        lane,
        at: (times[lane] ?? 0) + (place + 1) / weight,
      })),
    )
    .toSorted((left, right) => left.at - right.at || (left.lane < right.lane ? -1 : 1));
  const taken: Record<string, number> = {};
  for (const { lane } of candidates.slice(0, wanted)) {
    taken[lane] = (taken[lane] ?? 0) + 1;
    waiting[lane] = (waiting[lane] ?? 0) - 1;
  }
  const found = Object.fromEntries(
    Object.keys(weights).map((lane) => [
      lane,
      { taken: taken[lane] ?? 0, hasMore: (waiting[lane] ?? 0) > 0 },
    ]),
  );
  return { times: timesAfterClaim(times, weights, found), taken };
}

const weight = fc.double({ min: 0.1, max: 20, noNaN: true });

describe('the lanes of a stage', () => {
  it('share in proportion to their weights while all have work, however small the claims', () => {
    fc.assert(
      fc.property(
        fc.record({ interactive: weight, standard: weight, bulk: weight }),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 20, maxLength: 60 }),
        (weights, claims) => {
          const waiting = { interactive: 1e6, standard: 1e6, bulk: 1e6 };
          const total: Record<string, number> = { interactive: 0, standard: 0, bulk: 0 };
          let times = initialTimes(weights);
          for (const wanted of claims) {
            const result = claim(times, weights, waiting, wanted);
            times = result.times;
            for (const [lane, taken] of Object.entries(result.taken))
              total[lane] = (total[lane] ?? 0) + taken;
          }
          // What each got, in units of its weight, differs by no more than one message of the lightest lane.
          const served = Object.entries(weights).map(([lane, share]) => (total[lane] ?? 0) / share);
          const slack = 1 / Math.min(...Object.values(weights)) + 1e-6;
          expect(Math.max(...served) - Math.min(...served)).toBeLessThanOrEqual(slack);
        },
      ),
    );
  });

  it('leave no capacity unused while anything waits', () => {
    const lanes = fc.record({
      interactive: fc.integer({ min: 0, max: 30 }),
      bulk: fc.integer({ min: 0, max: 30 }),
    });
    fc.assert(
      fc.property(lanes, fc.integer({ min: 1, max: 80 }), (waiting, wanted) => {
        const weights = { interactive: 4, bulk: 1 };
        const all = waiting.interactive + waiting.bulk;
        const { taken } = claim(initialTimes(weights), weights, { ...waiting }, wanted);
        expect(Object.values(taken).reduce((sum, count) => sum + count, 0)).toBe(Math.min(all, wanted));
      }),
    );
  });

  it('save nothing up while they have no work', () => {
    const weights = { interactive: 4, bulk: 1 };
    let times = initialTimes(weights);
    for (let turn = 0; turn < 100; turn += 1)
      ({ times } = claim(times, weights, { interactive: 1000, bulk: 0 }, 20));
    const { taken } = claim(times, weights, { interactive: 1000, bulk: 1000 }, 50);
    expect(taken).toEqual({ interactive: 40, bulk: 10 });
  });

  it('owe nothing for what they took while nobody else wanted it', () => {
    const weights = { interactive: 4, bulk: 1 };
    const { times } = claim(initialTimes(weights), weights, { interactive: 0, bulk: 50 }, 50);
    expect(times).toEqual({ interactive: 0, bulk: 0 });
  });
});
