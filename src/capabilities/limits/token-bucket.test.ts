import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allRefilled, type Ask, type Buckets, lowered, marginShare, take } from './token-bucket.ts';

const perMinute = 60_000;

function full(): Buckets {
  return {
    requests: { perMinute: 600, level: 600 },
    tokens: { perMinute, level: perMinute },
    cooldownMs: 0,
  };
}

const asks = fc.array(
  fc.record({
    tokens: fc.integer({ min: 1, max: perMinute * (1 - marginShare) }),
    maxWaitMs: fc.constantFrom(0, 500, 3000),
  }),
  { maxLength: 6 },
);

/** Groups of requests with the time that passes before each group. */
const load = fc.array(fc.record({ passedMs: fc.nat(5000), asks }), { minLength: 1, maxLength: 40 });

interface Sent {
  readonly atMs: number;
  readonly tokens: number;
}

/** Plays a load against full buckets; answers what was let through and when. */
function play(groups: readonly { readonly passedMs: number; readonly asks: readonly Ask[] }[]): Sent[] {
  let buckets = full();
  let nowMs = 0;
  const sent: Sent[] = [];
  for (const group of groups) {
    nowMs += group.passedMs;
    const taken = take(allRefilled(buckets, group.passedMs), group.asks);
    buckets = taken.buckets;
    for (const [index, { isGranted, waitMs }] of taken.answers.entries()) {
      if (isGranted) sent.push({ atMs: nowMs + waitMs, tokens: group.asks[index]?.tokens ?? 0 });
    }
  }
  return sent.toSorted((left, right) => left.atMs - right.atMs);
}

describe('token buckets', () => {
  it('never let more through in any window than a full bucket and what refills in it', () => {
    fc.assert(
      fc.property(load, (groups) => {
        const sent = play(groups);
        for (let from = 0; from < sent.length; from += 1) {
          let tokens = 0;
          for (let to = from; to < sent.length; to += 1) {
            tokens += sent[to]?.tokens ?? 0;
            const windowMs = (sent[to]?.atMs ?? 0) - (sent[from]?.atMs ?? 0);
            expect(tokens).toBeLessThanOrEqual(perMinute + (windowMs * perMinute) / 60_000 + 0.001);
            expect(to - from + 1).toBeLessThanOrEqual(600 + (windowMs * 600) / 60_000 + 0.001);
          }
        }
      }),
    );
  });

  it('keep what was taken and given back: the level falls by exactly what was used', () => {
    fc.assert(
      fc.property(asks, fc.array(fc.integer({ min: 0, max: 500 })), (wanted, used) => {
        const taken = take(full(), wanted);
        let buckets = taken.buckets;
        let usedTokens = 0;
        let usedRequests = 0;
        taken.answers.forEach(({ isGranted }, index) => {
          if (!isGranted) return;
          const actual = used[index] ?? 0;
          usedTokens += actual;
          usedRequests += 1;
          buckets = lowered(buckets, 0, actual - (wanted[index]?.tokens ?? 0));
        });
        expect(buckets.tokens?.level).toBeCloseTo(perMinute - usedTokens, 6);
        expect(buckets.requests?.level).toBeCloseTo(600 - usedRequests, 6);
      }),
    );
  });

  it('let nobody pass those who came before', () => {
    fc.assert(
      fc.property(asks, (wanted) => {
        const { answers } = take(full(), wanted);
        const waits = answers.map(({ waitMs }) => waitMs);
        expect(waits).toEqual(waits.toSorted((left, right) => left - right));
      }),
    );
  });

  it('let a request that is larger than the bucket through when the bucket is full', () => {
    const big = { tokens: 3 * perMinute, maxWaitMs: 0 };
    const first = take(full(), [big]);
    expect(first.answers[0]).toEqual({ isGranted: true, waitMs: 0 });
    expect(first.buckets.tokens?.level).toBe(-2 * perMinute);
    expect(take(first.buckets, [big]).answers[0]).toEqual({ isGranted: false, waitMs: 180_000 });
  });

  it('let nothing through while the provider has asked everyone to wait', () => {
    const cooling = { ...full(), cooldownMs: 1500 };
    expect(take(cooling, [{ tokens: 1, maxWaitMs: 1000 }]).answers).toEqual([
      { isGranted: false, waitMs: 1500 },
    ]);
    expect(take(allRefilled(cooling, 1500), [{ tokens: 1, maxWaitMs: 0 }]).answers[0]?.isGranted).toBe(true);
  });
});
