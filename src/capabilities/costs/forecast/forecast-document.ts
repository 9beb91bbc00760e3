import { z } from 'zod';
import { type CostParameterDefaults, type CostReportRequest, timeZone } from '../cost-parameters.ts';
import { filterParameters, readQuestion } from '../question-parameters.ts';
import { amountSchema } from '../../../http/document-parts.ts';

/* The question and the answer of GET /v1/costs/forecast. */

export interface ForecastRequest {
  readonly filters: CostReportRequest['filters'];
  /** Whose month and days: an IANA name. */
  readonly timeZone: string;
}

const parametersSchema = z.strictObject({ timezone: timeZone.optional(), ...filterParameters });

/** The question in a parsed query string. Throws MILLRACE_REQUEST_INVALID with every fault. */
export function parseForecastParameters(query: unknown, defaults: CostParameterDefaults): ForecastRequest {
  const { parameters, filters } = readQuestion(parametersSchema, query);
  return { filters, timeZone: parameters.timezone ?? defaults.timeZone };
}

export const forecastSchema = z.object({
  month: z.string().regex(/^\d{4}-\d{2}$/),
  timeZone: z.string(),
  asOf: z.iso.datetime().describe('Up to when spend is known.'),
  currency: z.literal('USD'),
  spentUsd: amountSchema.describe('Spent in the month so far, exact: costUsd of reports.'),
  expectedUsd: amountSchema.optional().describe('What the whole month will have cost, to six digits.'),
  lowUsd: amountSchema
    .optional()
    .describe('8 of 10 months end between lowUsd and highUsd where days differ by chance alone.'),
  highUsd: amountSchema.optional(),
  method: z
    .enum(['weekday', 'mean', 'none'])
    .describe(
      'By what coming days are told: the mean of their weekday; of all days, because there are fewer than 14; none: there is no whole day yet.',
    ),
  historyDays: z.int().describe('Whole days that the means are of, 28 at most.'),
  days: z
    .array(z.object({ day: z.iso.date(), expectedUsd: amountSchema }))
    .describe('What is still to come: the rest of today, and every day to the end of the month.'),
  unpricedCalls: z.int().describe('Calls of the month whose price is not known. They are in no amount.'),
  openUpperBoundUsd: amountSchema.describe(
    'What unsettled, estimated and unpriced calls of the month can have cost at most.',
  ),
});

export type ForecastDocument = z.output<typeof forecastSchema>;
