import { addUsd, maxUsd, tokensAtPrice, type Usd, zeroUsd } from '../kernel/money.ts';
import type { Rates } from './catalogue.ts';
import type { Cost, Price, Rate } from './price.ts';
import {
  countTokens,
  inputTokenClasses,
  outputTokenClasses,
  type TokenClass,
  tokenClasses,
  type TokenCounts,
} from './token-classes.ts';

/** The rates with the classes filled in that providers bill at another class's rate. The rest stay absent. */
export function completeRates(rates: Rates): Rates {
  const input = rates.uncached_input;
  const output = rates.text_output;
  return {
    ...(input ? { cache_read: input, cache_write_5m: input } : {}),
    ...(output ? { reasoning: output } : {}),
    ...rates,
  };
}

/** What the tokens cost at the price, exactly, or the used classes that the price has no rate for. */
export function calculateCost(
  price: Price,
  tokens: TokenCounts,
): { readonly cost: Cost } | { readonly missing: readonly TokenClass[] } {
  const inputTokens = countTokens(tokens, inputTokenClasses);
  const byClass: Partial<Record<TokenClass, Usd>> = {};
  const missing: TokenClass[] = [];
  const request = price.usdPerRequest ?? zeroUsd;
  let total = request;
  for (const tokenClass of tokenClasses) {
    const count = tokens[tokenClass] ?? 0;
    if (count === 0) continue;
    const rate = price.rates[tokenClass];
    if (!rate) {
      missing.push(tokenClass);
      continue;
    }
    const amount = tokensAtPrice(count, rateFor(rate, inputTokens));
    byClass[tokenClass] = amount;
    total = addUsd(total, amount);
  }
  return missing.length > 0 ? { missing } : { cost: { total, byClass, request } };
}

/**
 * An amount that no call within the token maxima can exceed at this price, however its tokens fall into the
 * price's classes. Undefined when the price has no rate for a side that has tokens.
 */
export function calculateUpperBound(
  price: Price,
  maxInputTokens: number,
  maxOutputTokens: number,
): Usd | undefined {
  const inputRate = highestRate(price.rates, inputTokenClasses, maxInputTokens);
  const outputRate = highestRate(price.rates, outputTokenClasses, maxInputTokens);
  if ((!inputRate && maxInputTokens > 0) || (!outputRate && maxOutputTokens > 0)) return undefined;
  const input = inputRate ? tokensAtPrice(maxInputTokens, inputRate) : zeroUsd;
  const output = outputRate ? tokensAtPrice(maxOutputTokens, outputRate) : zeroUsd;
  return addUsd(addUsd(input, output), price.usdPerRequest ?? zeroUsd);
}

/** The tier that the call's whole input reaches applies to all of its tokens. */
function rateFor(rate: Rate, inputTokens: number): Usd {
  let usdPerMillion = rate.usdPerMillion;
  for (const tier of rate.tiers) {
    if (inputTokens > tier.aboveInputTokens) usdPerMillion = tier.usdPerMillion;
  }
  return usdPerMillion;
}

/** Over the classes and over every tier that an input of up to this size can reach: a higher tier may be cheaper. */
function highestRate(rates: Rates, classes: readonly TokenClass[], maxInputTokens: number): Usd | undefined {
  let highest: Usd | undefined;
  for (const tokenClass of classes) {
    const rate = rates[tokenClass];
    if (!rate) continue;
    highest = highest ? maxUsd(highest, rate.usdPerMillion) : rate.usdPerMillion;
    for (const tier of rate.tiers) {
      if (maxInputTokens > tier.aboveInputTokens) highest = maxUsd(highest, tier.usdPerMillion);
    }
  }
  return highest;
}
