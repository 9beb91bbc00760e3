import { z } from 'zod';
import { invalidRequest } from '../../../http/request-faults.ts';
import { addMonths, dayAt } from '../../../kernel/time-zone.ts';
import { type CostParameterDefaults, once, timeZone } from '../cost-parameters.ts';
import { filterValue, queryFaults } from '../question-parameters.ts';
import { amountSchema } from '../../../http/document-parts.ts';
import { costFiguresSchema, costGroupSchema, periodFiguresSchema } from '../cost-report-document.ts';
import { savingsSchema } from '../savings/savings-document.ts';

/* The question and the answer of GET /v1/statements/{month}. */

export interface StatementRequest {
  /** Its first day: "2026-11-01". */
  readonly month: string;
  /** Absent: of all teams. */
  readonly team?: string;
  readonly timeZone: string;
}

const monthText = z
  .string()
  .regex(/^2[01]\d{2}-(?:0[1-9]|1[0-2])$/, 'is a month ("2026-11") of the years 2000 to 2199');
const parametersSchema = z.strictObject({
  month: monthText,
  team: once.pipe(filterValue).optional(),
  timezone: timeZone.optional(),
});

/** The question in parsed parameters, the month among them. Throws MILLRACE_REQUEST_INVALID with every fault. */
export function parseStatementParameters(
  parameters: unknown,
  now: Date,
  defaults: CostParameterDefaults,
): StatementRequest {
  const parsed = parametersSchema.safeParse(parameters);
  if (!parsed.success) throw invalidRequest(queryFaults(parsed.error));
  const { team, timezone: zone = defaults.timeZone } = parsed.data;
  const month = `${parsed.data.month}-01`;
  if (month > addMonths(dayAt(zone, now.getTime()), 0)) {
    throw invalidRequest([{ field: 'month', problem: 'is still to come' }]);
  }
  return { month, timeZone: zone, ...(team === undefined ? {} : { team }) };
}

const sectionSchema = z.object({
  rows: z.array(costGroupSchema),
  otherRows: z.boolean().describe('Whether there are more than those, which otherUsd is of.'),
  otherUsd: amountSchema.describe('What the section has beyond its rows.'),
  otherPreviousUsd: amountSchema.optional().describe('The same of the month before.'),
});

/** The sections by their names, in the order in which they are shown. */
export const statementSections = ['teams', 'features', 'customers', 'models', 'waste', 'days'] as const;
export type StatementSection = (typeof statementSections)[number];

export const statementSchema = z.object({
  month: z.string().regex(/^\d{4}-\d{2}$/),
  team: z.string().optional().describe('Absent: of all teams.'),
  timeZone: z.string(),
  from: z.iso.datetime(),
  to: z.iso.datetime().describe('The end of the month, or what was now while it went on.'),
  isComplete: z.boolean().describe('Whether the month was over.'),
  createdAt: z.iso.datetime(),
  currency: z.literal('USD'),
  totals: periodFiguresSchema.describe('Of the month, with those of the whole month before.'),
  isConsistent: z
    .boolean()
    .describe(
      'Whether every section adds up to the totals. False where records kept arriving while it was read.',
    ),
  corrections: z
    .array(costFiguresSchema.omit({ messages: true }).extend({ month: z.string() }))
    .describe(
      'Corrections of earlier, closed months that were booked in this one, by the month: differences. They are in the totals and in every section.',
    ),
  savings: savingsSchema
    .optional()
    .describe(
      'What caching and tiers saved. Absent where the month has more records than a statement reads for it.',
    ),
  sections: z.object({
    teams: sectionSchema.optional().describe('Only in a statement of all teams.'),
    features: sectionSchema,
    customers: sectionSchema,
    models: sectionSchema,
    waste: sectionSchema.describe('Spend that bought nothing, by its cause. Shares are of the totals.'),
    days: sectionSchema,
  }),
});

export type StatementDocument = z.output<typeof statementSchema>;
export type StatementSectionDocument = z.output<typeof sectionSchema>;
