import { addUsd, tokensAtPrice, type Usd, zeroUsd } from '../kernel/money.ts';
import type { Cost, Price, Rate, Rates } from './price.ts';
import {
  classOf,
  countTokens,
  inputTokenClasses,
  outputTokenClasses,
  type RatedCounts,
  type RatedKind,
  ratedKinds,
  type TokenClass,
} from './token-classes.ts';
import { type UnitCounts, type UsageUnit, usageUnits } from './usage-units.ts';

/** The rates with the kinds filled in that providers bill at another kind's rate. The rest stay absent. */
export function completeRates(rates: Rates, sellsMediaAsText = false): Rates {
  const input = rates.uncached_input;
  const cached = rates.cache_read ?? input;
  const output = rates.text_output;
  return {
    ...(sellsMediaAsText && input ? { audio_input: input, image_input: input, video_input: input } : {}),
    // Cached media that have a rate of their own uncached need one of their own cached, too.
    ...(sellsMediaAsText && cached && !rates.audio_input ? { cache_read_audio: cached } : {}),
    ...(sellsMediaAsText && cached && !rates.image_input ? { cache_read_image: cached } : {}),
    ...(cached ? { cache_read: cached } : {}),
    ...(input ? { cache_write_5m: input } : {}),
    ...(output ? { reasoning: output } : {}),
    ...rates,
  };
}

/** What was used and could not be priced. */
export interface UncalculatedCost {
  readonly missing: readonly RatedKind[];
}

/** What tokens and uses cost at the price, exactly; or the used kinds of tokens that the price has no rate for. */
export function calculateCost(
  price: Price,
  tokens: RatedCounts,
  units: UnitCounts = {},
): { readonly cost: Cost; readonly openUnits: readonly UsageUnit[] } | UncalculatedCost {
  const inputTokens = countTokens(tokens, inputTokenClasses);
  const byClass: Partial<Record<TokenClass, Usd>> = {};
  const missing: RatedKind[] = [];
  const request = price.usdPerRequest ?? zeroUsd;
  let total = request;
  for (const kind of ratedKinds) {
    const count = tokens[kind] ?? 0;
    if (count === 0) continue;
    const rate = price.rates[kind];
    if (!rate) {
      missing.push(kind);
      continue;
    }
    const amount = tokensAtPrice(count, rateFor(rate, inputTokens));
    byClass[classOf(kind)] = addUsd(byClass[classOf(kind)] ?? zeroUsd, amount);
    total = addUsd(total, amount);
  }
  if (missing.length > 0) return { missing };
  const used = costOfUnits(price, units);
  return {
    cost: {
      total: addUsd(total, used.units),
      byClass,
      request,
      ...(Object.keys(used.byUnit).length === 0 ? {} : { units: used.units, byUnit: used.byUnit }),
      ...(Object.keys(units).length === 0 ? {} : { uses: units }),
    },
    openUnits: used.open,
  };
}

function costOfUnits(price: Price, counts: UnitCounts) {
  const byUnit: Partial<Record<UsageUnit, Usd>> = {};
  const open: UsageUnit[] = [];
  let units = zeroUsd;
  for (const unit of usageUnits) {
    const count = counts[unit] ?? 0;
    if (count === 0) continue;
    const rate = price.units?.[unit];
    if (rate === undefined) {
      open.push(unit);
      continue;
    }
    const amount = rate.times(count);
    byUnit[unit] = amount;
    units = addUsd(units, amount);
  }
  return { units, byUnit, open };
}

/**
 * An amount that no call within the maxima can exceed at this price, however its tokens fall into the price's kinds.
 * Undefined when the price has no rate for a side that has tokens. Uses without a known price are not in it.
 */
export function calculateUpperBound(
  price: Price,
  maxInputTokens: number,
  maxOutputTokens: number,
  maxUnits: UnitCounts = {},
): Usd | undefined {
  const { input: inputRates, output: outputRates } = highestRates(price.rates);
  const inputRate = upTo(inputRates, maxInputTokens);
  const outputRate = upTo(outputRates, maxInputTokens);
  if ((!inputRate && maxInputTokens > 0) || (!outputRate && maxOutputTokens > 0)) return undefined;
  const input = inputRate ? tokensAtPrice(maxInputTokens, inputRate) : zeroUsd;
  const output = outputRate ? tokensAtPrice(maxOutputTokens, outputRate) : zeroUsd;
  const beside = addUsd(price.usdPerRequest ?? zeroUsd, costOfUnits(price, maxUnits).units);
  return addUsd(addUsd(input, output), beside);
}

/** What a million tokens cost in a call of so much input: the tier that its whole input reaches applies to all of its tokens. */
export function rateFor(rate: Rate, inputTokens: number): Usd {
  let usdPerMillion = rate.usdPerMillion;
  for (const tier of rate.tiers) {
    if (inputTokens > tier.aboveInputTokens) usdPerMillion = tier.usdPerMillion;
  }
  return usdPerMillion;
}

/** The highest rate that an input above so many tokens can reach; ascending, each above the one before. */
type HighestRates = readonly { readonly aboveInputTokens: number; readonly usdPerMillion: Usd }[];

/** A price is asked for its bound at every reservation, and its rates never change. */
const knownHighest = new WeakMap<Rates, { readonly input: HighestRates; readonly output: HighestRates }>();

function highestRates(rates: Rates): { readonly input: HighestRates; readonly output: HighestRates } {
  let known = knownHighest.get(rates);
  if (!known) {
    known = { input: highestOf(rates, inputTokenClasses), output: highestOf(rates, outputTokenClasses) };
    knownHighest.set(rates, known);
  }
  return known;
}

/** Over the kinds and over every tier: a higher tier may be cheaper, and an input of up to a size reaches all below. */
function highestOf(rates: Rates, classes: readonly TokenClass[]): HighestRates {
  const steps = ratedKinds
    .flatMap((kind) => (classes.includes(classOf(kind)) ? (rates[kind] ?? []) : []))
    .flatMap(({ usdPerMillion, tiers }) => [{ aboveInputTokens: -1, usdPerMillion }, ...tiers])
    .toSorted((left, right) => left.aboveInputTokens - right.aboveInputTokens);
  const highest: { aboveInputTokens: number; usdPerMillion: Usd }[] = [];
  for (const step of steps) {
    const last = highest.at(-1);
    if (last === undefined || step.usdPerMillion.greaterThan(last.usdPerMillion)) highest.push(step);
  }
  return highest;
}

function upTo(rates: HighestRates, maxInputTokens: number): Usd | undefined {
  return rates.findLast(({ aboveInputTokens }) => maxInputTokens > aboveInputTokens)?.usdPerMillion;
}
