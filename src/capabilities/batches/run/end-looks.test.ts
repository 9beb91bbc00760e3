import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { depth } from '../../../../test/support/test-depth.ts';
import {
  firstLooks,
  firstPlace,
  isWorthAnotherTurn,
  type ItemPlace,
  lookLimits,
  placeOfSlice,
  planLooks,
} from './end-looks.ts';

const batchId = '10000000-0000-8000-8000-000000000000';
const at = (position: number): ItemPlace => ({ batchId, chunk: Math.floor(position / 100), position });

/** Items that are under way, by their positions; those that have ended. */
class Items {
  readonly running: Set<number>;
  readonly ended = new Set<number>();
  looks = 0;
  plan = firstLooks;

  constructor(count: number) {
    this.running = new Set(Array.from({ length: count }, (_, index) => index + 1));
  }

  look(after: ItemPlace, looks: number) {
    const seen = [...this.running]
      .filter((position) => position > after.position)
      .toSorted((one, other) => one - other)
      .slice(0, looks);
    this.looks += seen.length;
    const ended = seen.filter((position) => this.ended.has(position));
    const last = seen.at(-1);
    return {
      looked: seen.length,
      ended,
      next: seen.length < looks || last === undefined ? undefined : at(last),
    };
  }

  /** Answers the positions whose ends were found. */
  turn(): readonly number[] {
    const front = this.look(firstPlace, this.plan.front);
    const behind =
      front.next === undefined ? undefined : this.look(placeOfSlice(this.plan, front.next), this.plan.slice);
    const counted = ({ ended, ...rest }: typeof front) => ({ ...rest, ended: ended.length });
    this.plan = planLooks(this.plan, counted(front), behind === undefined ? undefined : counted(behind));
    const found = [...front.ended, ...(behind?.ended ?? [])];
    for (const position of found) {
      this.running.delete(position);
      this.ended.delete(position);
    }
    return found;
  }
}

describe('the looks for ended items', () => {
  it('see every item of a small batch in each turn', () => {
    const items = new Items(lookLimits.leastFront - 1);
    for (const position of [249, 3, 120]) {
      items.ended.add(position);
      expect(items.turn()).toEqual([position]);
    }
  });

  it('look at an item a few times where items end in their order', () => {
    const items = new Items(2000);
    const turns = 100;
    let last = 2000;
    let next = 1;
    for (let turn = 0; turn < turns; turn += 1) {
      for (let ended = 0; ended < 100; ended += 1) {
        items.ended.add(next++);
        items.running.add(++last);
      }
      items.turn();
    }
    // Each once, as it were, would be 100 a turn; all that are under way, 2000.
    expect(items.looks / turns).toBeLessThan(600);
    expect(items.ended.size).toBeLessThan(100);
  });

  it('find what ended out of its order within some turns, wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2000 }),
        fc.array(fc.nat(), { minLength: 1, maxLength: 20 }),
        fc.nat(30),
        (count, places, before) => {
          const items = new Items(count);
          for (let turn = 0; turn < before; turn += 1) items.turn();
          const wanted = new Set(places.map((place) => (place % count) + 1));
          for (const position of wanted) items.ended.add(position);
          for (let turn = 0; turn < 40; turn += 1) items.turn();
          expect(items.ended.size).toBe(0);
        },
      ),
      { numRuns: depth({ usual: 20, full: 200 }) },
    );
  });

  it('grow where many have ended behind the first, until all are found', () => {
    const items = new Items(16_000);
    for (let position = 5000; position <= 16_000; position += 1) items.ended.add(position);
    let turns = 0;
    while (items.ended.size > 0 && turns < 100) {
      items.turn();
      turns += 1;
    }
    expect(turns).toBeLessThan(40);
  });
});

it('another turn is worth it where a full look found mostly ended items', () => {
  const next = at(1);
  expect(isWorthAnotherTurn({ looked: 250, ended: 125, next }, 100)).toBe(true);
  expect(isWorthAnotherTurn({ looked: 250, ended: 124, next }, 100)).toBe(false);
  expect(isWorthAnotherTurn({ looked: 250, ended: 250, next: undefined }, 100)).toBe(false);
});
