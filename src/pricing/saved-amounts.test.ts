import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatUsd, type Usd, zeroUsd } from '../kernel/money.ts';
import { packagedPriceBook } from './packaged-price-book.ts';
import type { PriceQuestion } from './price.ts';
import { countTokens, inputTokenClasses, type TokenCounts } from './token-classes.ts';
import { savedIn } from './savings.ts';
import { findPriceOf, type PricedSums, savedByCaching, savedByTier } from './saved-amounts.ts';

const book = packagedPriceBook();
const find = (question: PriceQuestion) => book.findPrice(question);
const at = new Date('2026-03-10T12:00:00Z');

function costOf(question: PriceQuestion, tokens: TokenCounts): Usd {
  const pricing = book.price(question, tokens);
  return pricing.kind === 'priced' ? pricing.cost.total : zeroUsd;
}

/** One call as its sums. */
function sumsOf(question: PriceQuestion, tokens: TokenCounts): PricedSums {
  const pricing = book.price(question, tokens);
  if (pricing.kind === 'unpriced') throw new Error(pricing.reason);
  return {
    provider: question.provider,
    model: question.model,
    answeredModel: '',
    tier: question.tier,
    isBatch: question.batch,
    priceReference: pricing.price.reference,
    at,
    inputTokens: countTokens(tokens, inputTokenClasses),
    calls: 1,
    freeCalls: 0,
    openCalls: 0,
    tokens: Object.fromEntries(Object.entries(tokens).map(([name, count]) => [name, BigInt(count)])),
    costUsd: pricing.cost.byClass,
  };
}

const question = fc
  .constantFrom(['openai', 'gpt-5-mini'], ['google', 'gemini-2.5-pro'], ['anthropic', 'claude-haiku-4-5'])
  .map(([provider = '', model = '']): PriceQuestion => ({
    provider,
    model,
    at,
    tier: 'default',
    batch: false,
  }));
const count = fc.nat({ max: 400_000 });

describe('what was saved', () => {
  it('by caching is what the same call costs with all its input uncached, less what it costs', () => {
    fc.assert(
      fc.property(question, count, count, count, count, (asked, uncached, read, written, output) => {
        const beside = asked.provider === 'anthropic' ? { cache_write_5m: written } : {};
        const tokens = { uncached_input: uncached, cache_read: read, text_output: output, ...beside };
        const sums = sumsOf(asked, tokens);
        const found = findPriceOf(sums, find);
        const saved = found && savedByCaching(sums, found);
        const plain = {
          uncached_input: countTokens(tokens, inputTokenClasses),
          text_output: output,
        };
        expect(
          saved && formatUsd(saved.uncachedUsd.minus(saved.paidUsd).minus(saved.writeSurchargeUsd)),
        ).toBe(formatUsd(costOf(asked, plain).minus(costOf(asked, tokens))));
      }),
    );
  });

  it('by batch mode is what the same call costs in the standard tier, less what it costs', () => {
    fc.assert(
      fc.property(question, count, count, (asked, uncached, output) => {
        const tokens = { uncached_input: uncached, text_output: output };
        const batch = { ...asked, batch: true };
        const sums = sumsOf(batch, tokens);
        const found = findPriceOf(sums, find);
        const saved = found && savedByTier(sums, found, find);
        expect(saved && formatUsd(saved.standardUsd.minus(saved.paidUsd))).toBe(
          formatUsd(costOf(asked, tokens).minus(costOf(batch, tokens))),
        );
      }),
    );
  });

  it('is told of no price that the book does not name', () => {
    const sums = sumsOf(
      { provider: 'openai', model: 'gpt-5-mini', at, tier: 'default', batch: false },
      { cache_read: 1 },
    );
    expect(findPriceOf(sums, find)?.price.reference).toBe(sums.priceReference);
    expect(
      findPriceOf({ ...sums, priceReference: `charged by x; list ${sums.priceReference}` }, find),
    ).toBeDefined();
    expect(findPriceOf({ ...sums, priceReference: 'another list' }, find)).toBeUndefined();
    expect(findPriceOf({ ...sums, model: 'gpt-5' }, find)).toBeUndefined();
  });

  it('is told of no call that cost nothing, is open or has no price, and each is counted as what it is', () => {
    const batch = sumsOf(
      { provider: 'openai', model: 'gpt-5-mini', at, tier: 'default', batch: true },
      { text_output: 1 },
    );
    const without = { ...batch, priceReference: '', calls: 9, freeCalls: 2, openCalls: 3 };
    expect(savedIn([batch, without], find)).toMatchObject({
      tiers: [{ tier: 'batch', calls: 1 }],
      unvalued: { calls: 0, unpricedCalls: 4, openCalls: 3, freeCalls: 2 },
    });
    const gone = { ...without, priceReference: 'another list', tokens: { cache_read: 7n } };
    expect(savedIn([gone], find).unvalued).toEqual({
      calls: 4,
      cachedTokens: '7',
      unpricedCalls: 0,
      openCalls: 3,
      freeCalls: 2,
    });
    const standard = { ...without, isBatch: false, tokens: {} };
    expect(savedIn([standard], find).unvalued).toMatchObject({
      unpricedCalls: 0,
      openCalls: 0,
      freeCalls: 0,
    });
  });
});
