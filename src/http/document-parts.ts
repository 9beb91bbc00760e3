import { z } from 'zod';
import type { Origin } from '../messages/origin.ts';

/* What the documents of several capabilities have in common. */

/** An amount in US dollars: an exact decimal string. */
export const amountSchema = z.string().regex(/^-?\d+(\.\d+)?$/);

/** A ratio as a decimal string. */
export const ratioSchema = z.string().regex(/^-?\d+(\.\d+)?$/);

/** A count of tokens that a number may not hold. */
export const tokensSchema = z
  .string()
  .regex(/^-?\d+$/)
  .describe('Exact, as a decimal string.');

/** What caching, other tiers than the standard one, and cascades saved. Amounts are exact. */
export const savingsShape = {
  caching: z.object({
    readTokens: tokensSchema.describe('Input tokens that were read from a cache.'),
    paidUsd: amountSchema.describe('What they cost.'),
    uncachedUsd: amountSchema.describe('What they would have cost as uncached input of the same calls.'),
    writeSurchargeUsd: amountSchema.describe('What tokens written to a cache cost above uncached input.'),
    savedUsd: amountSchema.describe('uncachedUsd less paidUsd less writeSurchargeUsd.'),
  }),
  tiers: z
    .array(
      z.object({
        tier: z.string().describe('batch, flex, priority and so on: every one but the standard tier.'),
        calls: z.int(),
        paidUsd: amountSchema.describe('What the tokens of its calls cost.'),
        standardUsd: amountSchema.describe('What they would have cost in the standard tier.'),
        savedUsd: amountSchema.describe('standardUsd less paidUsd: negative where the tier costs more.'),
      }),
    )
    .describe('By the tier.'),
  cascade: z
    .object({
      acceptedCalls: z.int().describe('Calls of models before the last whose answer was taken.'),
      escalatedCalls: z.int().describe('Those whose answer was not taken: the next model was asked.'),
      otherCalls: z.int().describe('Those without an answer, or whose answer nothing was decided about.'),
      paidUsd: amountSchema.describe('What the calls of all models before the last cost.'),
      unacceptedUsd: amountSchema.describe('The part of it that was paid for answers that were not taken.'),
      lastModelUsd: amountSchema.describe(
        'What the answers that were taken would have cost at the last model: the same tokens, at the price in force at their time.',
      ),
      savedUsd: amountSchema.describe(
        'lastModelUsd less paidUsd: negative where cascades cost more than asking the last model at once.',
      ),
      unvaluedCalls: z
        .int()
        .describe('Calls of which a cost is not known, their own or that at the last model: in no amount.'),
    })
    .describe('Cascades: smaller models asked before a larger one.'),
  unvalued: z
    .object({
      calls: z.int().describe('Those whose price the present price book no longer names.'),
      cachedTokens: tokensSchema.describe('Their tokens that were read from a cache.'),
      unpricedCalls: z.int().describe('Those for which no price was known.'),
      openCalls: z
        .int()
        .describe('Those that are under way or of unknown outcome: what they cost is not known yet.'),
      freeCalls: z.int().describe('Those that cost nothing: refused, expired or taken back before any work.'),
    })
    .describe('Calls in another tier or with cached tokens that are in no saving, by why.'),
};

/** Who caused the work. */
export const originSchema = z.object({
  team: z.string(),
  customer: z.string(),
  feature: z.string(),
  batch: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
});

/** An origin as documents have it. */
export function originDocument(origin: Origin): z.output<typeof originSchema> {
  return { ...origin, ...(origin.labels === undefined ? {} : { labels: { ...origin.labels } }) };
}
