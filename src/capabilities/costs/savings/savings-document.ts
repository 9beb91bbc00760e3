import { z } from 'zod';
import { amountSchema, savingsShape } from '../../../http/document-parts.ts';
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

/** Savings as reports and statements have them. Amounts are exact. */
export const savingsSchema = z.object({
  caching: savingsShape.caching,
  tiers: savingsShape.tiers,
  cascade: savingsShape.cascade,
  waste: z.object({
    wasteUsd: amountSchema.describe('What bought nothing: wasteUsd of reports.'),
    causes: z.array(
      z.object({
        cause: z.string().describe('failed, aborted, duplicate, retried or invalid_output.'),
        costUsd: amountSchema,
        calls: z.int(),
      }),
    ),
  }),
  unvalued: savingsShape.unvalued,
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
