import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatUsd, sumUsd, type Usd, usd, zeroUsd } from '../../kernel/money.ts';
import type { Cost } from '../../pricing/price.ts';
import { tokenClasses } from '../../pricing/token-classes.ts';
import { type Appraisal, splitAppraisal } from './appraisal.ts';

const amount = fc
  .bigInt({ min: 0n, max: 10n ** 20n })
  .map((units) => usd(units.toString()).times(usd('0.000000000000000001')));
/** What an aggregator charged may be less than its list price. */
const fee = fc.tuple(amount, fc.boolean()).map(([size, isBack]) => (isBack ? zeroUsd.minus(size) : size));
const classes = fc.constantFrom(...tokenClasses);
const cost: fc.Arbitrary<Cost> = fc
  .record({
    byClass: fc.dictionary(classes, amount, { maxKeys: 3, noNullPrototype: true }),
    request: fee,
    units: fc.option(amount, { nil: undefined }),
    list: fc.option(amount, { nil: undefined }),
  })
  .map(({ byClass, request, units, list }) => ({
    byClass,
    request,
    total: sumUsd([...Object.values(byClass), request, units ?? zeroUsd]),
    ...(units === undefined ? {} : { units, uses: { web_search: 3 } }),
    ...(list === undefined ? {} : { list }),
  }));
const price = { reference: 'list:openai/some@always', catalogue: 'list', rates: {} };
const appraisal: fc.Arbitrary<Appraisal> = fc
  .record({ tokens: fc.dictionary(classes, fc.nat(), { maxKeys: 3, noNullPrototype: true }), cost })
  .map(({ tokens, cost: whole }) => ({
    settlement: 'reported',
    isSuspect: false,
    tokens,
    pricing: { kind: 'priced', price, cost: whole, isBelieved: true },
    answeredModel: 'some',
    pricedModel: 'some',
    tier: 'default',
  }));
const weights = fc.array(fc.nat({ max: 8192 }), { minLength: 1, maxLength: 24 });

function costOf({ pricing }: Appraisal): Cost {
  if (pricing?.kind !== 'priced') throw new Error('it is priced');
  return pricing.cost;
}

it('splits tokens and cost into parts that add up to the whole, in every class and in total', () => {
  fc.assert(
    fc.property(appraisal, weights, (whole, shares) => {
      const parts = splitAppraisal(whole, shares);
      const costs = parts.map(costOf);
      const { byClass, request, units = zeroUsd, list = zeroUsd, uses = {}, total } = costOf(whole);
      const sumOf = (amounts: readonly (Usd | undefined)[]): string =>
        formatUsd(sumUsd(amounts.map((one) => one ?? zeroUsd)));
      expect(parts).toHaveLength(shares.length);
      for (const name of tokenClasses) {
        expect(parts.reduce((sum, { tokens }) => sum + (tokens[name] ?? 0), 0)).toBe(whole.tokens[name] ?? 0);
        expect(sumOf(costs.map((part) => part.byClass[name]))).toBe(formatUsd(byClass[name] ?? zeroUsd));
      }
      expect(sumOf(costs.map((part) => part.request))).toBe(formatUsd(request));
      expect(sumOf(costs.map((part) => part.units))).toBe(formatUsd(units));
      expect(sumOf(costs.map((part) => part.list))).toBe(formatUsd(list));
      expect(sumOf(costs.map((part) => part.total))).toBe(formatUsd(total));
      expect(costs.reduce((sum, part) => sum + (part.uses?.web_search ?? 0), 0)).toBe(uses.web_search ?? 0);
      const isWhole = (part: Cost): boolean =>
        sumUsd([...Object.values(part.byClass), part.request, part.units ?? zeroUsd]).equals(part.total);
      expect(costs.every(isWhole)).toBe(true);
    }),
  );
});

it('gives each part its own tokens at the rate of the whole', () => {
  const whole: Appraisal = {
    settlement: 'reported',
    isSuspect: false,
    tokens: { uncached_input: 12 },
    pricing: {
      kind: 'priced',
      price,
      cost: { byClass: { uncached_input: usd('0.00000024') }, request: zeroUsd, total: usd('0.00000024') },
      isBelieved: true,
    },
    answeredModel: undefined,
    pricedModel: undefined,
    tier: 'default',
  };
  const parts = splitAppraisal(whole, [3, 8, 1]);
  expect(parts.map(({ tokens }) => tokens.uncached_input)).toEqual([3, 8, 1]);
  expect(parts.map((part) => formatUsd(costOf(part).total))).toEqual([
    '0.00000006',
    '0.00000016',
    '0.00000002',
  ]);
});

it('leaves what has no price without one', () => {
  const whole: Appraisal = {
    settlement: 'reported',
    isSuspect: false,
    tokens: { uncached_input: 5 },
    pricing: { kind: 'unpriced', reason: 'unknown model', isBelieved: true },
    answeredModel: undefined,
    pricedModel: undefined,
    tier: 'default',
  };
  expect(splitAppraisal(whole, [1, 1])).toMatchObject([
    { tokens: { uncached_input: 3 }, pricing: { kind: 'unpriced' } },
    { tokens: { uncached_input: 2 }, pricing: { kind: 'unpriced' } },
  ]);
});
