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

/**
 * Kinds of tokens that some providers sell at a rate of their own, inside a class that they are stored in. They exist
 * between the reading of usage and its price: records have the class alone, with the sum of their costs.
 */
const fineKinds = [
  'cache_read_audio',
  'cache_read_image',
  'video_input',
  'video_output',
  'citation',
] as const;

/** Everything that can have a rate of its own: the classes, and the finer kinds inside them. */
export type RatedKind = TokenClass | (typeof fineKinds)[number];

const classByKind: Readonly<Record<RatedKind, TokenClass>> = {
  uncached_input: 'uncached_input',
  cache_read: 'cache_read',
  cache_write_5m: 'cache_write_5m',
  cache_write_1h: 'cache_write_1h',
  audio_input: 'audio_input',
  image_input: 'image_input',
  text_output: 'text_output',
  reasoning: 'reasoning',
  audio_output: 'audio_output',
  image_output: 'image_output',
  cache_read_audio: 'cache_read',
  cache_read_image: 'cache_read',
  video_input: 'image_input',
  video_output: 'image_output',
  citation: 'text_output',
};

export const ratedKinds: readonly RatedKind[] = [...tokenClasses, ...fineKinds];

/** Disjoint counts by rated kind: a token of a finer kind is not in its class as well. */
export type RatedCounts = Readonly<Partial<Record<RatedKind, number>>>;

/** The class that tokens of a kind are stored in. */
export function classOf(kind: RatedKind): TokenClass {
  return classByKind[kind];
}

/** The counts as they are stored: finer kinds are added to their classes. */
export function storedCounts(counts: RatedCounts): TokenCounts {
  const stored: Partial<Record<TokenClass, number>> = {};
  for (const kind of ratedKinds) {
    const count = counts[kind];
    if (count !== undefined) stored[classOf(kind)] = (stored[classOf(kind)] ?? 0) + count;
  }
  return stored;
}

/** The sum over some classes. Fails unless every count is a whole number of at least 0. */
export function countTokens(counts: RatedCounts, classes: readonly TokenClass[] = tokenClasses): number {
  let total = 0;
  const add = (kind: RatedKind): void => {
    const count = counts[kind] ?? 0;
    invariant(Number.isSafeInteger(count) && count >= 0, `${kind} has a whole count, not ${count}`);
    total += count;
  };
  for (const name of classes) add(name);
  for (const kind of fineKinds) if (classes.includes(classByKind[kind])) add(kind);
  return total;
}
