import { invariant } from '../kernel/invariant.ts';

/*
 * Token classes are disjoint: every token that a provider bills is in exactly one class. What a provider
 * reports as overlapping (cached tokens inside the input, reasoning inside the output) is separated on arrival.
 */

/** Every class, inputs first. Also the suffixes of the usage table's columns: tokens_<class>, cost_<class>. */
export const tokenClasses = [
  'uncached_input',
  'cache_read',
  'cache_write_5m',
  'cache_write_1h',
  'audio_input',
  'image_input',
  'text_output',
  'reasoning',
  'audio_output',
  'image_output',
] as const;

export type TokenClass = (typeof tokenClasses)[number];

export const inputTokenClasses: readonly TokenClass[] = tokenClasses.slice(0, 6);
export const outputTokenClasses: readonly TokenClass[] = tokenClasses.slice(6);

/** Counts of tokens by class; a class that is absent is 0. */
export type TokenCounts = Readonly<Partial<Record<TokenClass, number>>>;

/** The sum over some classes. Fails unless every count is a whole number of at least 0. */
export function countTokens(counts: TokenCounts, classes: readonly TokenClass[] = tokenClasses): number {
  let total = 0;
  for (const name of classes) {
    const count = counts[name] ?? 0;
    invariant(Number.isSafeInteger(count) && count >= 0, `${name} has a whole count, not ${count}`);
    total += count;
  }
  return total;
}
