import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvariantError } from '../kernel/invariant.ts';
import { formatUsd, moneyScale, rateScale, sumUsd, usd } from '../kernel/money.ts';
import { calculateCost, calculateUpperBound, completeRates } from './cost-calculator.ts';
import type { Cost, Price, Rate } from './price.ts';
import {
  countTokens,
  inputTokenClasses,
  outputTokenClasses,
  type TokenClass,
  tokenClasses,
} from './token-classes.ts';

const source = { reference: 'test:a/b@always', catalogue: 'test' };

/** A rate in its smallest unit, for arithmetic on whole numbers. */
interface WholeRate {
  readonly base: bigint;
  readonly tiers: readonly { readonly above: number; readonly rate: bigint }[];
}

const wholeRates = fc.bigInt({ min: 0n, max: 10n ** BigInt(rateScale + 3) });
const tieredRates: fc.Arbitrary<WholeRate> = fc.record({
  base: wholeRates,
  tiers: fc
    .uniqueArray(fc.record({ above: fc.integer({ min: 1, max: 2_000_000 }), rate: wholeRates }), {
      maxLength: 3,
      selector: ({ above }) => above,
    })
    .map((tiers) => tiers.toSorted((left, right) => left.above - right.above)),
});

/** A record with a value of the arbitrary for every class. */
function everyClass<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<Record<TokenClass, T>> {
  return fc
    .tuple(...tokenClasses.map(() => arbitrary))
    .map(
      (values) =>
        Object.fromEntries(tokenClasses.map((name, i) => [name, values[i]])) as Record<TokenClass, T>,
    );
}

const wholePrices = everyClass(tieredRates);
const counts = everyClass(fc.oneof(fc.constant(0), fc.nat({ max: 3_000_000 })));
const requestFees = fc.option(fc.bigInt({ min: 0n, max: 10n ** BigInt(moneyScale) }), { nil: undefined });

function decimalText(units: bigint, scale: number): string {
  const digits = units.toString().padStart(scale + 1, '0');
  return `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

function priceOf(whole: Record<TokenClass, WholeRate>, fee?: bigint): Price {
  const rates = Object.fromEntries(
    Object.entries(whole).map(([name, { base, tiers }]): [string, Rate] => [
      name,
      {
        usdPerMillion: usd(decimalText(base, rateScale)),
        tiers: tiers.map(({ above, rate }) => ({
          aboveInputTokens: above,
          usdPerMillion: usd(decimalText(rate, rateScale)),
        })),
      },
    ]),
  );
  return {
    ...source,
    rates,
    ...(fee === undefined ? {} : { usdPerRequest: usd(decimalText(fee, moneyScale)) }),
  };
}

function costOf(price: Price, tokens: Partial<Record<TokenClass, number>>): Cost {
  const result = calculateCost(price, tokens);
  if (!('cost' in result)) throw new Error(`no rate for ${result.missing.join()}`);
  return result.cost;
}

function flat(rates: Partial<Record<TokenClass, string>>): Price {
  const entries = Object.entries(rates).map(([name, rate]) => [
    name,
    { usdPerMillion: usd(rate), tiers: [] },
  ]);
  return { ...source, rates: Object.fromEntries(entries) as Price['rates'] };
}

describe('the cost of a call', () => {
  it('is exact to the last digit, in total and for every class', () => {
    fc.assert(
      fc.property(wholePrices, counts, requestFees, (whole, tokens, fee) => {
        const input = countTokens(tokens, inputTokenClasses);
        const cost = costOf(priceOf(whole, fee), tokens);
        let total = fee ?? 0n;
        for (const name of tokenClasses) {
          const rate = whole[name].tiers.findLast(({ above }) => input > above)?.rate ?? whole[name].base;
          // A rate has 12 decimals and is for a million tokens, so the product is in units of 18 decimals.
          const amount = BigInt(tokens[name]) * rate;
          expect(cost.byClass[name]?.toFixed(moneyScale) ?? decimalText(0n, moneyScale)).toBe(
            decimalText(amount, moneyScale),
          );
          total += amount;
        }
        expect(cost.total.toFixed(moneyScale)).toBe(decimalText(total, moneyScale));
      }),
    );
  });

  it('is the sum of its classes and the request fee', () => {
    fc.assert(
      fc.property(wholePrices, counts, requestFees, (whole, tokens, fee) => {
        const { total, byClass, request } = costOf(priceOf(whole, fee), tokens);
        expect(formatUsd(total)).toBe(formatUsd(sumUsd([request, ...Object.values(byClass)])));
      }),
    );
  });

  it('adds up over calls when no tier is passed', () => {
    const untiered = everyClass(wholeRates.map((base) => ({ base, tiers: [] })));
    fc.assert(
      fc.property(untiered, counts, counts, (whole, first, second) => {
        const price = priceOf(whole);
        const both = Object.fromEntries(tokenClasses.map((name) => [name, first[name] + second[name]]));
        const apart = sumUsd([costOf(price, first).total, costOf(price, second).total]);
        expect(formatUsd(costOf(price, both).total)).toBe(formatUsd(apart));
      }),
    );
  });

  it('takes the rate of the tier that the whole input reaches, for all tokens', () => {
    const price: Price = {
      ...source,
      rates: {
        uncached_input: {
          usdPerMillion: usd('3'),
          tiers: [{ aboveInputTokens: 200_000, usdPerMillion: usd('6') }],
        },
        cache_read: {
          usdPerMillion: usd('0.3'),
          tiers: [{ aboveInputTokens: 200_000, usdPerMillion: usd('0.6') }],
        },
        text_output: {
          usdPerMillion: usd('15'),
          tiers: [{ aboveInputTokens: 200_000, usdPerMillion: usd('22.5') }],
        },
      },
    };
    const at = costOf(price, { uncached_input: 100_000, cache_read: 100_000, text_output: 1_000 });
    expect(formatUsd(at.total)).toBe('0.345');
    const above = costOf(price, { uncached_input: 100_000, cache_read: 100_001, text_output: 1_000 });
    expect(formatUsd(above.total)).toBe('0.6825006');
  });

  it('is the request fee alone for a call without tokens', () => {
    expect(formatUsd(costOf({ ...flat({}), usdPerRequest: usd('0.012') }, {}).total)).toBe('0.012');
    expect(formatUsd(costOf(flat({}), {}).total)).toBe('0');
  });

  it('names every used class without a rate instead of taking it for free', () => {
    const price = flat({ uncached_input: '1', text_output: '2' });
    expect(calculateCost(price, { uncached_input: 5, audio_input: 1, image_output: 2 })).toEqual({
      missing: ['audio_input', 'image_output'],
    });
    expect(calculateCost(price, { uncached_input: 5, audio_input: 0 })).toHaveProperty('cost');
  });

  it('counts a rate of zero as a price', () => {
    const cost = costOf(flat({ uncached_input: '0' }), { uncached_input: 10 });
    expect(formatUsd(cost.total)).toBe('0');
    expect(Object.keys(cost.byClass)).toEqual(['uncached_input']);
  });

  it.each([-1, 0.5, Number.NaN])('refuses %d as a count', (count) => {
    expect(() => calculateCost(flat({ text_output: '1' }), { text_output: count })).toThrow(InvariantError);
  });
});

describe('the upper bound', () => {
  it('is not exceeded however the tokens fall into classes', () => {
    fc.assert(
      fc.property(
        wholePrices,
        counts,
        requestFees,
        fc.nat(1000),
        fc.nat(1000),
        (whole, tokens, fee, moreIn, moreOut) => {
          const price = priceOf(whole, fee);
          const maxInput = countTokens(tokens, inputTokenClasses) + moreIn;
          const maxOutput = countTokens(tokens, outputTokenClasses) + moreOut;
          const bound = calculateUpperBound(price, maxInput, maxOutput);
          expect(bound?.greaterThanOrEqualTo(costOf(price, tokens).total)).toBe(true);
        },
      ),
    );
  });

  it('is reached by the most expensive call', () => {
    const price = flat({ uncached_input: '3', cache_write_1h: '6', text_output: '15', reasoning: '15' });
    const bound = calculateUpperBound(price, 1_000, 100);
    expect(bound && formatUsd(bound)).toBe(
      formatUsd(costOf(price, { cache_write_1h: 1_000, reasoning: 60, text_output: 40 }).total),
    );
  });

  it('is unknown when a side with tokens has no rate at all', () => {
    expect(calculateUpperBound(flat({ uncached_input: '1' }), 10, 1)).toBeUndefined();
    expect(calculateUpperBound(flat({ text_output: '1' }), 1, 10)).toBeUndefined();
    expect(calculateUpperBound(flat({ uncached_input: '1' }), 10, 0)?.toFixed()).toBe('0.00001');
  });
});

describe('rates that a price does not state', () => {
  const own = flat({ uncached_input: '2', text_output: '8' }).rates;

  it('are the input rate for cache reads and short cache writes, the output rate for reasoning', () => {
    const rates = completeRates(own);
    expect(rates.cache_read?.usdPerMillion.toFixed()).toBe('2');
    expect(rates.cache_write_5m?.usdPerMillion.toFixed()).toBe('2');
    expect(rates.reasoning?.usdPerMillion.toFixed()).toBe('8');
  });

  it('stay unknown for long cache writes, audio and images', () => {
    const stated = Object.keys(completeRates(own));
    for (const name of ['cache_write_1h', 'audio_input', 'image_input', 'audio_output', 'image_output']) {
      expect(stated).not.toContain(name);
    }
  });

  it('give way to a rate of their own', () => {
    const rates = completeRates({ ...own, ...flat({ cache_read: '0.5', reasoning: '3' }).rates });
    expect(rates.cache_read?.usdPerMillion.toFixed()).toBe('0.5');
    expect(rates.reasoning?.usdPerMillion.toFixed()).toBe('3');
  });
});
