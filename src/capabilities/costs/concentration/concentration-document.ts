import { z } from 'zod';
import { amountSchema, ratioSchema } from '../../../http/document-parts.ts';
import { type CostParameterDefaults, once, periodOf, periodParameters } from '../cost-parameters.ts';
import { costFiguresSchema } from '../cost-report-document.ts';
import { spendSources } from '../cost-query.ts';
import { isLabelField, isWellFormed } from '../label-fields.ts';
import { filterParameters, readQuestion } from '../question-parameters.ts';
import {
  type ConcentrationQuestion,
  type RankedField,
  rankedFields,
  rankedPercents,
} from './concentration-query.ts';

/* The question and the answer of GET /v1/costs/concentration. */

export interface ConcentrationRequest extends ConcentrationQuestion {
  readonly timeZone: string;
}

export const maxRankedNames = 1_000;
export const defaultRankedNames = 10;
const topForm = `is a whole number from 1 to ${maxRankedNames}`;

const parametersSchema = z.strictObject({
  ...periodParameters,
  by: z.custom<RankedField>(isRankedField, `is any of ${rankedFields.join(', ')}, or a label (label:region)`),
  top: once
    .regex(/^\d{1,4}$/, { error: topForm, abort: true })
    .transform(Number)
    .refine((count) => count >= 1 && count <= maxRankedNames, topForm)
    .default(defaultRankedNames),
  ...filterParameters,
});

/** The question in a parsed query string. Throws MILLRACE_REQUEST_INVALID with every fault. */
export function parseConcentrationParameters(
  query: unknown,
  now: Date,
  defaults: CostParameterDefaults,
): ConcentrationRequest {
  const { parameters, filters } = readQuestion(parametersSchema, query);
  const { by, top } = parameters;
  return { ...periodOf(parameters, { now, defaults }), by, top, filters };
}

function isRankedField(field: unknown): field is RankedField {
  if (typeof field !== 'string') return false;
  return rankedFields.some((name) => name === field) || (isLabelField(field) && isWellFormed(field));
}

const figures = costFiguresSchema.omit({ messages: true });

export const concentrationSchema = z.object({
  from: z.iso.datetime().describe('First moment, included.'),
  to: z.iso.datetime().describe('Last moment, excluded.'),
  timeZone: z.string(),
  by: z.string().describe('What is ranked.'),
  currency: z.literal('USD'),
  totals: figures.describe('Of all spend that the filters let through, named or not.'),
  names: z.int().describe('Different names that have calls or corrections in the period.'),
  top: z
    .array(
      figures.extend({
        name: z.string(),
        share: ratioSchema.optional().describe('costUsd by that of the totals, to six digits.'),
        cumulativeShare: ratioSchema.optional().describe('That of this name and all before it.'),
      }),
    )
    .describe('The most expensive names, the most expensive first; of equal ones by the name.'),
  parts: z
    .array(
      z.object({
        percent: z.literal(rankedPercents),
        names: z.int().describe('So many names are these percent, rounded up.'),
        costUsd: amountSchema.describe('What they cost together, exact.'),
        share: ratioSchema.optional(),
      }),
    )
    .describe('What the most expensive 1, 5, 10, 20 and 50 percent of the names make of the whole.'),
  unnamed: figures.describe('What belongs to no name: it is in the totals, and in no part.'),
  source: z.enum(spendSources).describe('What was read: rollups, the records themselves, or both.'),
  exportLagSeconds: z.number().optional(),
});

export type ConcentrationDocument = z.output<typeof concentrationSchema>;
