import { z } from 'zod';
import { amountSchema } from '../../../http/document-parts.ts';
import { type CostParameterDefaults, periodOf, periodParameters } from '../cost-parameters.ts';
import { filterParameters, readQuestion } from '../question-parameters.ts';
import type { SavingsQuestion } from './savings-query.ts';

/* The question and the answer of GET /v1/costs/savings. */

export interface SavingsRequest extends SavingsQuestion {
  readonly timeZone: string;
}

const maxDays = 400;
const parametersSchema = z.strictObject({ ...periodParameters, ...filterParameters });

/** The question in a parsed query string. Throws MILLRACE_REQUEST_INVALID with every fault. */
export function parseSavingsParameters(
  query: unknown,
  now: Date,
  defaults: CostParameterDefaults,
): SavingsRequest {
  const { parameters, filters } = readQuestion(parametersSchema, query);
  return { ...periodOf(parameters, { now, defaults, maxDays }), filters };
}

const tokens = z
  .string()
  .regex(/^-?\d+$/)
  .describe('Exact, as a decimal string.');

/** Savings as reports and statements have them. Amounts are exact. */
export const savingsSchema = z.object({
  caching: z.object({
    readTokens: tokens.describe('Input tokens that were read from a cache.'),
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
  waste: z.object({
    wasteUsd: amountSchema.describe('What bought nothing: wasteUsd of reports.'),
    causes: z.array(
      z.object({
        cause: z.string().describe('failed, aborted, duplicate or invalid_output.'),
        costUsd: amountSchema,
        calls: z.int(),
      }),
    ),
  }),
  unvalued: z
    .object({
      calls: z.int(),
      cachedTokens: tokens,
    })
    .describe(
      'Calls in another tier or with cached tokens whose price the present price book no longer names: they are in no saving.',
    ),
  unknown: z
    .array(z.enum(['reused_answers']))
    .describe(
      'What nothing tells: an answer that was reused leaves no record of what it would have cost (millrace_calls_reused_total counts them).',
    ),
});

export const savingsReportSchema = savingsSchema.extend({
  from: z.iso.datetime().describe('First moment, included.'),
  to: z.iso.datetime().describe('Last moment, excluded.'),
  timeZone: z.string(),
  currency: z.literal('USD'),
  exportLagSeconds: z.number().optional(),
});

export type SavingsDocument = z.output<typeof savingsSchema>;
export type SavingsReportDocument = z.output<typeof savingsReportSchema>;
