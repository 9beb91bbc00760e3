import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkPlan } from './chunk-plan.ts';

describe('chunks', () => {
  it('are filled by count and by tokens; an item that is too large is one by itself', () => {
    const plan = new ChunkPlan({ items: 3, tokens: 100 });
    const sizes = [10, 10, 10, 10, 95, 10, 500, 1];
    expect(sizes.map((tokens, at) => plan.place(at + 1, tokens))).toEqual([1, 1, 1, 2, 3, 4, 5, 6]);
    plan.leaveOut(2);
    expect(plan.takeBefore(5)).toEqual([
      { chunk: 1, firstPosition: 1, items: 3, skipped: 0 },
      { chunk: 2, firstPosition: 4, items: 1, skipped: 1 },
    ]);
    expect(plan.takeAll().map(({ chunk, items }) => [chunk, items])).toEqual([
      [3, 1],
      [4, 1],
      [5, 1],
      [6, 1],
    ]);
    expect(plan.takeAll()).toEqual([]);
    expect(plan.count).toBe(6);
  });

  it('hold every item once, in order, within the bounds, however they are taken', () => {
    const tokens = fc.array(fc.nat(2000), { maxLength: 300 });
    fc.assert(
      fc.property(
        tokens,
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 50 }),
        (sizes, items, group) => {
          const plan = new ChunkPlan({ items, tokens: 1000 });
          const chunks = [];
          for (const [at, size] of sizes.entries()) {
            if (at % group === 0) chunks.push(...plan.takeBefore(at + 1));
            plan.place(at + 1, size);
          }
          chunks.push(...plan.takeAll());
          expect(chunks.map(({ chunk }) => chunk)).toEqual(chunks.map((_, at) => at + 1));
          let next = 1;
          for (const { firstPosition, items: count } of chunks) {
            expect(firstPosition).toBe(next);
            expect(count).toBeLessThanOrEqual(items);
            const inside = sizes.slice(firstPosition - 1, firstPosition - 1 + count);
            expect(count === 1 || inside.reduce((sum, size) => sum + size, 0) <= 1000).toBe(true);
            next += count;
          }
          expect(next).toBe(sizes.length + 1);
        },
      ),
    );
  });
});
