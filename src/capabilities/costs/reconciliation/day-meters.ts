import { type TokenClass, tokenClasses } from '../../../pricing/token-classes.ts';
import { type BillMeter, billMeters, type BillProvider, type MeterCounts } from './bill.ts';

/* The classes of tokens in the words of bills. */

/** What a provider's usage is split into. */
export const usageMeters: Readonly<Record<BillProvider, readonly BillMeter[]>> = {
  openai: ['input', 'cache_read', 'cache_write', 'output', 'audio_input', 'audio_output'],
  anthropic: ['input', 'cache_read', 'cache_write_5m', 'cache_write_1h', 'output'],
  openrouter: ['input', 'output'],
};

/** The meter of a class, and what it is part of where that meter is not in the bill. */
const metersOfClass: Readonly<Record<TokenClass, readonly BillMeter[]>> = {
  uncached_input: ['input'],
  cache_read: ['cache_read', 'input'],
  cache_write_5m: ['cache_write_5m', 'cache_write', 'input'],
  cache_write_1h: ['cache_write_1h', 'cache_write', 'input'],
  audio_input: ['audio_input', 'input'],
  image_input: ['image_input', 'input'],
  text_output: ['output'],
  reasoning: ['output'],
  audio_output: ['audio_output', 'output'],
  image_output: ['image_output', 'output'],
};

/** The class at whose price the tokens of a meter are. */
export const classOfMeter: Readonly<Partial<Record<BillMeter, TokenClass>>> = {
  input: 'uncached_input',
  cache_read: 'cache_read',
  cache_write: 'cache_write_5m',
  cache_write_5m: 'cache_write_5m',
  cache_write_1h: 'cache_write_1h',
  audio_input: 'audio_input',
  image_input: 'image_input',
  output: 'text_output',
  audio_output: 'audio_output',
  image_output: 'image_output',
};

/** The meter of a class in the usage of a provider. */
export function usageMeterOf(provider: BillProvider, name: TokenClass): BillMeter {
  const known = usageMeters[provider];
  return metersOfClass[name].find((meter) => known.includes(meter)) ?? 'input';
}

/** Tokens by the meters of a provider. */
export function meteredTokens(
  provider: BillProvider,
  tokens: Readonly<Partial<Record<TokenClass, number>>>,
): MeterCounts {
  return summedMeters(
    tokenClasses.flatMap((name) => {
      const count = tokens[name] ?? 0;
      return count === 0 ? [] : [{ [usageMeterOf(provider, name)]: count }];
    }),
  );
}

/** The sums of several counts. */
export function summedMeters(all: readonly MeterCounts[]): MeterCounts {
  const sums: Partial<Record<BillMeter, number>> = {};
  for (const tokens of all) {
    for (const meter of billMeters) {
      const count = tokens[meter];
      if (count !== undefined) sums[meter] = (sums[meter] ?? 0) + count;
    }
  }
  return sums;
}
