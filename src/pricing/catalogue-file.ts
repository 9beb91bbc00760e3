import type { MatchLogic, ModelInfo, Provider } from '@pydantic/genai-prices';
import { z } from 'zod';
import type { Fault } from '../kernel/app-error.ts';
import { contentDigest } from './overlay.ts';

/*
 * A catalogue from a file, in the format of the genai-prices package's data: a list of providers with their models and prices. Whoever
 * made the file is not trusted: names of models from outside are matched against its rules, so these are bounded, and regular expressions that can take long are refused.
 */

const maxCharacters = 20_000_000;
const name = z.string().min(1).max(256);
const amount = z.number().min(0).max(1_000_000_000);
const tokenCount = z.int().min(0);

/** A repeated group with a repetition in it: what takes exponentially long. */
const nestedRepetition = /\([^)]*[+*{][^)]*\)[+*{]/;
const pattern = z
  .string()
  .max(200)
  .refine((text) => !nestedRepetition.test(text), 'repeats what repeats itself, which can take for ever')
  .refine(isRegex, 'is no regular expression');

/** Rules of rules, no deeper than this. */
const maxDepth = 4;

function matchWithin(depth: number): z.ZodType<MatchLogic> {
  const simple = [
    z.strictObject({ equals: name }),
    z.strictObject({ starts_with: name }),
    z.strictObject({ ends_with: name }),
    z.strictObject({ contains: name }),
    z.strictObject({ regex: pattern }),
  ] as const;
  if (depth === 0) return z.union(simple);
  const parts = z
    .array(matchWithin(depth - 1))
    .min(1)
    .max(200);
  return z.union([...simple, z.strictObject({ or: parts }), z.strictObject({ and: parts })]);
}

const modelPrice = z.record(
  z.string().max(64),
  z.union([
    amount,
    z.object({ base: amount, tiers: z.array(z.object({ start: tokenCount, price: amount })).max(20) }),
  ]),
);
const constraint = z.union([
  z.object({ type: z.literal('start_date'), start_date: z.iso.date() }),
  z.object({ type: z.literal('time_of_date'), start_time: timeOfDay(), end_time: timeOfDay() }),
]);
const model = z.object({
  id: name,
  match: matchWithin(maxDepth),
  context_window: z.int().positive().nullish(),
  prices: z.union([
    modelPrice,
    z
      .array(z.object({ constraint: constraint.nullish(), prices: modelPrice }))
      .min(1)
      .max(100),
  ]),
});
const provider = z.object({
  id: name,
  name,
  api_pattern: z.string().max(1_000).default(''),
  fallback_model_providers: z.array(name).max(20).nullish(),
  pricing_urls: z.array(z.string().max(2_000)).max(20).nullish(),
  models: z.array(model).max(10_000),
});
const content = z
  .array(provider)
  .min(1)
  .max(500)
  .refine(
    (providers) => new Set(providers.map(({ id }) => id)).size === providers.length,
    'names a provider twice',
  );

/** A catalogue that was read, and what tells it from others. */
export interface ReadCatalogue {
  readonly digest: string;
  readonly providers: readonly Provider[];
}

/** The providers in a file's text, or every fault of it. */
export function readCatalogueText(text: string): ReadCatalogue | { readonly faults: readonly Fault[] } {
  if (text.length > maxCharacters)
    return { faults: [{ field: '', problem: `has more than ${maxCharacters} characters` }] };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { faults: [{ field: '', problem: `is not JSON: ${String(error)}` }] };
  }
  const parsed = content.safeParse(value);
  if (!parsed.success)
    return {
      faults: parsed.error.issues
        .slice(0, 100)
        .map((issue) => ({ field: issue.path.join('.'), problem: issue.message })),
    };
  const providers = parsed.data.map((one) => providerOf(one));
  return { digest: contentDigest(text), providers };
}

/** What may be null in a file is absent in the package's types. */
function providerOf(read: z.output<typeof provider>): Provider {
  const { fallback_model_providers: fallbacks, pricing_urls: urls, models, ...rest } = read;
  return {
    ...rest,
    models: models.map((one) => modelOf(one)),
    ...(isNothing(fallbacks) ? {} : { fallback_model_providers: fallbacks }),
    ...(isNothing(urls) ? {} : { pricing_urls: urls }),
  };
}

function modelOf({ context_window: tokens, prices, ...rest }: z.output<typeof model>): ModelInfo {
  return {
    ...rest,
    prices: Array.isArray(prices)
      ? prices.map(({ constraint: condition, prices: rates }) => ({
          prices: rates,
          ...(isNothing(condition) ? {} : { constraint: condition }),
        }))
      : prices,
    ...(isNothing(tokens) ? {} : { context_window: tokens }),
  };
}

function isNothing(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

function timeOfDay() {
  return z.string().regex(/^\d{2}:\d{2}(:\d{2})?(Z|\+00:00)?$/, 'is a time of day in UTC, as in 16:30:00Z');
}

function isRegex(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}
