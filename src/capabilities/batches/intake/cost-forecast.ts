import { roundedTo, sumUsd, type Usd, usd, usdFromNumber, zeroUsd } from '../../../kernel/money.ts';
import type { Pricer } from '../../../pricing/price.ts';
import { countTokens, inputTokenClasses, outputTokenClasses } from '../../../pricing/token-classes.ts';
import type { RecentCall, RecentMessage } from './recent-costs.ts';

/*
 * What a batch will cost, from what messages like its items cost of late. The sum of many items is nearly normal, whatever one of them
 * is like: its p50 is the number of items times the mean of the sample, and its p90 lies 1.28 standard deviations above, which come
 * from the items themselves and from the sample being one.
 */

/** The modes that have prices of their own. */
export const pricedModes = ['online', 'flex', 'provider'] as const;
export type PricedMode = (typeof pricedModes)[number];

/** A figure of which half of the cases, and nine of ten, stay below. */
export interface Spread<Value> {
  readonly p50: Value;
  readonly p90: Value;
}

export interface ModeForecast {
  readonly mode: PricedMode;
  /** Undefined where a model that was asked has no price in this mode. */
  readonly total: Spread<Usd> | undefined;
  /** Of one item. */
  readonly item: Spread<Usd> | undefined;
  /** Models without a price in this mode. */
  readonly unpriced: readonly string[];
}

export interface ModelForecast {
  /** "provider/model" */
  readonly model: string;
  readonly callsPerItem: number;
  readonly inputTokens: Spread<number>;
  readonly outputTokens: Spread<number>;
  /** By mode; absent where it has no price. */
  readonly costUsd: Readonly<Partial<Record<PricedMode, Spread<Usd>>>>;
}

export interface CostForecast {
  readonly modes: readonly ModeForecast[];
  readonly models: readonly ModelForecast[];
}

export interface ForecastQuestion {
  readonly items: number;
  /** At least one. */
  readonly sample: readonly RecentMessage[];
  readonly pricer: Pick<Pricer, 'price'>;
  readonly priceProviderOf: (provider: string) => string;
  /** Prices are those in force then. */
  readonly at: Date;
}

/** Of the normal distribution: what nine of ten cases stay below. */
const p90Deviations = 1.2816;
/** Digits after the point of amounts that are estimated. */
const estimateDigits = 6;

export function forecastCosts(question: ForecastQuestion): CostForecast {
  const { sample, items } = question;
  const priced = sample.map(({ calls }) => calls.map((call) => ({ call, prices: pricesOf(call, question) })));
  const references = [
    ...new Set(sample.flatMap(({ calls }) => calls.map((call) => referenceOf(call)))),
  ].toSorted();
  return {
    modes: pricedModes.map((mode) => {
      const unpriced = new Set<string>();
      for (const { call, prices } of priced.flat())
        if (prices[mode] === undefined) unpriced.add(referenceOf(call));
      if (unpriced.size > 0)
        return { mode, total: undefined, item: undefined, unpriced: [...unpriced].toSorted() };
      const costs = priced.map((calls) => sumUsd(calls.map(({ prices }) => prices[mode] ?? zeroUsd)));
      return { mode, total: totalOf(costs, items), item: quantilesOf(costs), unpriced: [] };
    }),
    models: references.map((model) => {
      const own = priced.map((calls) => calls.filter(({ call }) => referenceOf(call) === model));
      const counted = (classes: typeof inputTokenClasses) =>
        tokensOf(
          own.map((calls) => calls.reduce((sum, { call }) => sum + countTokens(call.tokens, classes), 0)),
          items,
        );
      const costUsd: Partial<Record<PricedMode, Spread<Usd>>> = {};
      for (const mode of pricedModes) {
        const isPriced = own.flat().every(({ prices }) => prices[mode] !== undefined);
        if (!isPriced) continue;
        costUsd[mode] = totalOf(
          own.map((calls) => sumUsd(calls.map(({ prices }) => prices[mode] ?? zeroUsd))),
          items,
        );
      }
      return {
        model,
        callsPerItem: own.flat().length / sample.length,
        inputTokens: counted(inputTokenClasses),
        outputTokens: counted(outputTokenClasses),
        costUsd,
      };
    }),
  };
}

function referenceOf({ provider, model }: RecentCall): string {
  return `${provider}/${model}`;
}

function pricesOf(
  { provider, model, tokens }: RecentCall,
  { pricer, priceProviderOf, at }: ForecastQuestion,
): Partial<Record<PricedMode, Usd>> {
  const prices: Partial<Record<PricedMode, Usd>> = {};
  for (const mode of pricedModes) {
    const question = {
      provider: priceProviderOf(provider),
      model,
      at,
      tier: mode === 'flex' ? 'flex' : 'default',
      batch: mode === 'provider',
    };
    const pricing = pricer.price(question, tokens);
    if (pricing.kind === 'priced') prices[mode] = pricing.cost.total;
  }
  return prices;
}

/** Of so many items, of which these are a sample. */
function totalOf(costs: readonly Usd[], items: number): Spread<Usd> {
  const mean = sumUsd(costs).dividedBy(costs.length);
  const p50 = mean.times(items);
  const more = spreadAbove(
    costs.map((cost) => cost.toNumber()),
    items,
  );
  return { p50: rounded(p50), p90: rounded(p50.plus(usdFromNumber(more))) };
}

function tokensOf(counts: readonly number[], items: number): Spread<number> {
  const p50 = (counts.reduce((sum, count) => sum + count, 0) / counts.length) * items;
  return { p50: Math.round(p50), p90: Math.round(p50 + spreadAbove(counts, items)) };
}

/** How far the p90 of the sum of so many values lies above its p50. */
function spreadAbove(sample: readonly number[], items: number): number {
  const { length } = sample;
  const mean = sample.reduce((sum, value) => sum + value, 0) / length;
  const squares = sample.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  // A sample of one says nothing of how much items differ: as if each could be twice the other.
  const deviation = length > 1 ? Math.sqrt(squares / (length - 1)) : mean;
  return p90Deviations * deviation * items * Math.sqrt(1 / Math.max(1, items) + 1 / length);
}

/** Of the values themselves. */
function quantilesOf(costs: readonly Usd[]): Spread<Usd> {
  const sorted = costs.toSorted((one, other) => one.comparedTo(other));
  const at = (share: number): Usd =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? usd('0');
  return { p50: rounded(at(0.5)), p90: rounded(at(0.9)) };
}

function rounded(amount: Usd): Usd {
  return roundedTo(amount, estimateDigits);
}
