import { z } from 'zod';
import { amountSchema } from '../../../http/document-parts.ts';
import { invalidRequest } from '../../../http/request-faults.ts';
import { readDecimalNumber } from '../../../kernel/written-number.ts';
import { type CostParameterDefaults, once, periodOf, periodParameters } from '../cost-parameters.ts';
import { costFilterFields, type CostFilters, spendSources } from '../cost-query.ts';
import { isLabelField, isWellFormed } from '../label-fields.ts';
import { filterParameters, readQuestion } from '../question-parameters.ts';
import { type AnomalyField, isAnomalyField } from './anomaly-query.ts';

/* The question and the answer of GET /v1/costs/anomalies. */

export interface AnomalyRequest {
  readonly by: AnomalyField;
  /** Starts of hours. */
  readonly from: Date;
  readonly to: Date;
  readonly timeZone: string;
  readonly filters: CostFilters;
  readonly threshold: number;
}

export const defaultThreshold = 5;
const defaultHours = 24;
const maxDays = 7;
const hourMs = 3_600_000;
const thresholdForm = 'is a number from 1 to 1000';

const parametersSchema = z.strictObject({
  ...periodParameters,
  by: z
    .custom<AnomalyField>(isField, `is any of ${costFilterFields.join(', ')}, or a label (label:region)`)
    .default('team'),
  threshold: once
    .transform((text) => readDecimalNumber(text) ?? 0)
    .refine((value) => value >= 1 && value <= 1000, thresholdForm)
    .default(defaultThreshold),
  ...filterParameters,
});

/**
 * The question in a parsed query string: the last 24 whole hours unless it names a period, of which whole hours are looked at.
 * Throws MILLRACE_REQUEST_INVALID with every fault.
 */
export function parseAnomalyParameters(
  query: unknown,
  now: Date,
  defaults: CostParameterDefaults,
): AnomalyRequest {
  const { parameters, filters } = readQuestion(parametersSchema, query);
  const { by, threshold } = parameters;
  const isDefault = parameters.from === undefined;
  const asked = periodOf(parameters, {
    now,
    defaults,
    ...(isDefault ? {} : { maxDays }),
  });
  const to = wholeHour(asked.to);
  const from = isDefault ? new Date(to.getTime() - defaultHours * hourMs) : wholeHour(asked.from);
  if (from >= to)
    throw invalidRequest([{ field: 'from', problem: 'lies a whole hour before the end of the period' }]);
  return { from, to, timeZone: asked.timeZone, by, threshold, filters };
}

/** The start of its hour. */
export function wholeHour(time: Date): Date {
  return new Date(Math.floor(time.getTime() / hourMs) * hourMs);
}

function isField(field: unknown): field is AnomalyField {
  if (typeof field !== 'string' || !isAnomalyField(field)) return false;
  return !isLabelField(field) || isWellFormed(field);
}

export const anomalySchema = z.object({
  from: z.iso.datetime().describe('The start of the first hour that was judged.'),
  to: z.iso
    .datetime()
    .describe('The end of the last. Hours whose records may not all be there yet are not judged.'),
  timeZone: z.string().describe('Whose weekdays and hours are compared.'),
  by: z.string(),
  currency: z.literal('USD'),
  baseline: z
    .object({
      weeks: z.int().describe('Earlier weeks whose same hours say what is usual.'),
      minimumWeeks: z.int().describe('A name that is known for fewer is not judged.'),
      threshold: z.number().describe('Deviations from the median from which an hour is unusual.'),
      floorUsd: amountSchema.describe('Smaller differences are never unusual: costs.baseline.hourFloorUsd.'),
    })
    .describe('Median and median absolute deviation of the same hour of the same weekday.'),
  names: z.int().describe('Names with records in the period or its baseline.'),
  judgedNames: z.int().describe('Those that are known for long enough.'),
  anomalies: z
    .array(
      z.object({
        name: z.string(),
        hour: z.string().describe('Its start, in the time zone.'),
        direction: z.enum(['high', 'low']),
        costUsd: amountSchema.describe('What was spent, exact.'),
        usualUsd: amountSchema.describe('The median, exact.'),
        deviationUsd: amountSchema.describe('What counts as one deviation, to six digits.'),
        score: z.string().describe('Deviations from the median, to two digits.'),
        weeks: z.int().describe('Weeks that the baseline is of.'),
      }),
    )
    .describe('The most unusual first.'),
  reason: z
    .enum(['no_records', 'too_little_history', 'nothing_unusual', 'not_exported'])
    .optional()
    .describe(
      'Why there are no anomalies: nothing was read; no name is known for long enough; all is as usual; the records of these hours are still to come.',
    ),
  truncated: z.boolean().describe('Whether more hours differ than are judged in one answer.'),
  source: z.enum(spendSources),
  exportLagSeconds: z.number().optional(),
});

export type AnomalyDocument = z.output<typeof anomalySchema>;
