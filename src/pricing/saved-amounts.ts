import { sumUsd, type Usd, usd, zeroUsd } from '../kernel/money.ts';
import { rateFor } from './cost-calculator.ts';
import type { Price, PriceQuestion } from './price.ts';
import { tierOf } from './tier-names.ts';
import { type TokenClass, tokenClasses } from './token-classes.ts';

/*
 * What cached tokens and cheaper tiers saved, from sums of calls that had one price and one context band: what the tokens would have
 * cost uncached, or in the standard tier, less what they did. Rates are those of the price that the calls were priced by: the present
 * book is asked for the time of the calls, and believed only where it names the same price. Savings by caching are at the rates of
 * the tier, savings by the tier with tokens cached as they were: nothing is counted twice.
 */

/** Calls of one price. */
export interface PricedKey {
  readonly provider: string;
  readonly model: string;
  readonly answeredModel: string;
  readonly tier: string;
  readonly isBatch: boolean;
  readonly priceReference: string;
  /** When one of the calls was sent. */
  readonly at: Date;
}

/** Sums of calls of one price and band. Tokens and costs by class. */
export interface PricedSums extends PricedKey {
  /** The input of a call in the band. */
  readonly inputTokens: number;
  readonly calls: number;
  /** Of these, those that are known to have cost nothing. */
  readonly freeCalls: number;
  /** Of these, those that are under way or of unknown outcome. */
  readonly openCalls: number;
  readonly tokens: Readonly<Partial<Record<TokenClass, bigint>>>;
  readonly costUsd: Readonly<Partial<Record<TokenClass, Usd>>>;
}

/** The prices in force by a question, as a price book knows them. */
export type FindPrice = (question: PriceQuestion) => Price | undefined;

/** The price of sums with the question that finds it. */
export interface FoundPrice {
  readonly price: Price;
  readonly question: PriceQuestion;
}

export interface SavedByCaching {
  readonly readTokens: bigint;
  /** What cached tokens cost, and what they would have cost uncached. */
  readonly paidUsd: Usd;
  readonly uncachedUsd: Usd;
  /** What writing to caches cost above uncached input. */
  readonly writeSurchargeUsd: Usd;
}

export interface SavedByTier {
  readonly tier: string;
  readonly calls: number;
  /** What the tokens cost, and what they would have cost in the standard tier. */
  readonly paidUsd: Usd;
  readonly standardUsd: Usd;
}

const millionth = usd('0.000001');
/** Classes that caches have to do with. */
export const cacheClasses = ['cache_read', 'cache_write_5m', 'cache_write_1h'] as const;
const writeClasses = ['cache_write_5m', 'cache_write_1h'] as const;

/** The price by which calls were priced, if the book still has it. */
export function findPriceOf(sums: PricedKey, find: FindPrice): FoundPrice | undefined {
  // What was charged by the provider's own words has costs by class of the list.
  const reference = sums.priceReference.replace(/^charged by [^;]*; list /, '');
  const places = [undefined, ...[...reference.matchAll(/\+([a-z][a-z0-9-]*)/g)].map(([, place]) => place)];
  const models = [sums.answeredModel, sums.model].filter((model) => model !== '');
  for (const model of models) {
    for (const geography of places) {
      const { provider, at, tier, isBatch } = sums;
      const question = { provider, model, at, tier, batch: isBatch, geography };
      const price = find(question);
      if (price?.reference === reference) return { price, question };
    }
  }
  return undefined;
}

/** What caching saved; undefined where the price does not say what uncached input costs. */
export function savedByCaching(sums: PricedSums, { price }: FoundPrice): SavedByCaching | undefined {
  const rate = price.rates.uncached_input;
  if (rate === undefined) return undefined;
  const perMillion = rateFor(rate, sums.inputTokens);
  const written = sumUsd(
    writeClasses.map((name) => costOf(sums, name).minus(atRate(tokensOf(sums, name), perMillion))),
  );
  return {
    readTokens: tokensOf(sums, 'cache_read'),
    paidUsd: costOf(sums, 'cache_read'),
    uncachedUsd: atRate(tokensOf(sums, 'cache_read'), perMillion),
    writeSurchargeUsd: written,
  };
}

/** The tier of sums in the words of prices: "default" for the standard one, "batch" for batch mode. */
export function tierOfSums({ tier, isBatch, provider }: PricedKey): string {
  return isBatch ? 'batch' : tierOf(tier, provider);
}

/** What another tier than the standard one saved, or cost more; undefined where no standard price is known for all that was used. */
export function savedByTier(
  sums: PricedSums,
  { question }: FoundPrice,
  find: FindPrice,
): SavedByTier | undefined {
  const standard = find({ ...question, tier: 'default', batch: false });
  if (standard === undefined) return undefined;
  let standardUsd = zeroUsd;
  for (const name of tokenClasses) {
    const tokens = tokensOf(sums, name);
    if (tokens === 0n) continue;
    const rate = standard.rates[name];
    if (rate === undefined) return undefined;
    standardUsd = standardUsd.plus(atRate(tokens, rateFor(rate, sums.inputTokens)));
  }
  const paidUsd = sumUsd(tokenClasses.map((name) => costOf(sums, name)));
  return { tier: tierOfSums(sums), calls: sums.calls, paidUsd, standardUsd };
}

/** The sizes of input at which a rate of the price changes. */
export function thresholdsOf(price: Price): readonly number[] {
  return Object.values(price.rates).flatMap(({ tiers }) =>
    tiers.map(({ aboveInputTokens }) => aboveInputTokens),
  );
}

export function tokensOf({ tokens }: PricedSums, name: TokenClass): bigint {
  return tokens[name] ?? 0n;
}

function costOf({ costUsd }: PricedSums, name: TokenClass): Usd {
  return costUsd[name] ?? zeroUsd;
}

/** Exact: a rate has at most 12 decimals. Corrections can make tokens negative. */
function atRate(tokens: bigint, usdPerMillion: Usd): Usd {
  return usd(tokens.toString()).times(usdPerMillion).times(millionth);
}
