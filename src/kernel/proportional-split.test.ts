import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatUsd, sumUsd, type Usd, usd, zeroUsd } from './money.ts';
import { splitCount, splitUsd } from './proportional-split.ts';

const weights = fc.array(fc.oneof(fc.nat({ max: 9000 }), fc.constant(0), fc.maxSafeNat()), {
  minLength: 1,
  maxLength: 20,
});
const amount = fc
  .tuple(fc.bigInt({ min: 0n, max: 10n ** 12n }), fc.bigInt({ min: 0n, max: 10n ** 18n - 1n }), fc.boolean())
  .map(([whole, digits, isBack]) => usd(`${isBack ? '-' : ''}${whole}.${String(digits).padStart(18, '0')}`));

it('splits a count into parts that add up to it, each within one of its exact share', () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 31 - 1 }), weights, (whole, shares) => {
      const parts = splitCount(whole, shares);
      expect(parts.reduce((sum, part) => sum + part, 0)).toBe(whole);
      const all = shares.reduce((sum, share) => sum + BigInt(share), 0n);
      const isNear = (part: number, place: number): boolean => {
        const off = BigInt(part) * all - BigInt(whole) * BigInt(shares[place] ?? 0);
        return all === 0n || (off < all && off > -all);
      };
      expect(parts.every(isNear)).toBe(true);
    }),
  );
});

it('splits an amount into parts that add up to it to the last digit, none against its sign', () => {
  fc.assert(
    fc.property(amount, weights, (whole, shares) => {
      const parts = splitUsd(whole, shares);
      expect(formatUsd(sumUsd(parts))).toBe(formatUsd(whole));
      const isSound = (part: Usd): boolean =>
        part.decimalPlaces() <= 18 && (part.isZero() || part.isNegative() === whole.isNegative());
      expect(parts.every(isSound)).toBe(true);
    }),
  );
});

it('gives no less to more weight, and nothing to none', () => {
  fc.assert(
    fc.property(amount, weights, (whole, shares) => {
      const parts = splitUsd(whole.abs(), shares);
      const byWeight = parts
        .map((part, place) => ({ part, weight: shares[place] ?? 0 }))
        .toSorted((one, other) => one.weight - other.weight);
      const isOrdered = byWeight.every(({ part, weight }, place) => {
        const before = byWeight[place - 1];
        return before === undefined || before.weight === weight || !before.part.greaterThan(part);
      });
      expect(isOrdered).toBe(true);
      const hasWeight = shares.some((share) => share > 0);
      expect(byWeight.every(({ part, weight }) => !hasWeight || weight > 0 || part.equals(zeroUsd))).toBe(
        true,
      );
    }),
  );
});

it('gives what is left to the parts that lost most, the first of equals first', () => {
  expect(splitCount(10, [1, 1, 1])).toEqual([4, 3, 3]);
  expect(splitCount(5, [0, 0])).toEqual([3, 2]);
  expect(splitCount(1, [1, 5])).toEqual([0, 1]);
  expect(splitUsd(usd('0.00000258'), [30, 99]).map(formatUsd)).toEqual(['0.0000006', '0.00000198']);
});
