import { z } from 'zod';
import { amountSchema, ratioSchema } from '../../http/document-parts.ts';
import { labelKeyPattern } from '../../messages/origin.ts';
import { costGroupFields, messageCounts, spendSources } from './cost-query.ts';

/*
 * The answer of GET /v1/costs, as a schema: its type, its description in the OpenAPI document and the columns of its
 * CSV form all come from here.
 */

const tokenCount = z
  .union([z.int(), z.string().regex(/^-?\d+$/)])
  .describe('Exact: a number, or a decimal string where a number would not hold it (above 2^53 - 1).');

/** The figures of one group, or of all together. Amounts are exact US dollars as decimal strings. */
export const costFiguresSchema = z.object({
  costUsd: amountSchema.describe('Settled and estimated spend. What is unpriced or unsettled is not in it.'),
  calls: z.int().describe('Requests that a provider may bill.'),
  messages: z
    .int()
    .optional()
    .describe(
      'Distinct messages, counted as messageCount says; one with calls in two groups counts in both, and once in the totals.',
    ),
  inputTokens: tokenCount,
  outputTokens: tokenCount,
  wasteUsd: amountSchema.describe(
    'The part of costUsd that bought nothing: failed, aborted, duplicate and invalid-output calls; group by waste to see why.',
  ),
  unpricedCalls: z.int().describe('Calls whose price is not known; they cost more than nothing.'),
  unsettledCalls: z.int().describe('Calls whose outcome nobody knows yet.'),
  estimatedCalls: z
    .int()
    .describe('Calls whose usage was counted by Millrace because the provider did not report it.'),
  openUpperBoundUsd: amountSchema.describe(
    'What the unsettled, estimated and unpriced calls can have cost at most.',
  ),
  suspectCalls: z
    .int()
    .describe(
      'Estimated calls for which the provider reported more tokens than the request can have caused.',
    ),
});

/** The form of a label as a field: "label:region". */
export const labelFieldPattern = new RegExp(labelKeyPattern.source.replace('^', '^label:'));

/** What a report can be grouped by. */
const groupField = z.union([
  z.enum(costGroupFields),
  z.templateLiteral(['label:', z.string().regex(labelKeyPattern)]),
]);

/** The figures with what else was asked for. */
export const periodFiguresSchema = costFiguresSchema.extend({
  previous: costFiguresSchema
    .omit({ messages: true })
    .optional()
    .describe('The figures of the previous period, with compare=previous.'),
  changeUsd: amountSchema.optional().describe('costUsd less that of the previous period, exact.'),
  changeRatio: ratioSchema
    .optional()
    .describe('changeUsd by the cost of the previous period, to six digits; absent where that was nothing.'),
  completedMessages: z
    .int()
    .optional()
    .describe('Messages that completed in the period, with completed=true.'),
  costPerCompletedUsd: amountSchema
    .optional()
    .describe('costUsd by completedMessages, to 18 digits; absent where none completed.'),
});

/** A group with its figures. */
export const costGroupSchema = periodFiguresSchema.extend({
  share: ratioSchema
    .optional()
    .describe('costUsd by that of the totals, to six digits; absent where that is nothing.'),
  key: z.partialRecord(groupField, z.string()).describe('The values that make the group.'),
});

export const costReportSchema = z.object({
  from: z.iso.datetime().describe('First moment, included.'),
  to: z.iso.datetime().describe('Last moment, excluded.'),
  timeZone: z.string().describe('Whose days, weeks and months: an IANA name.'),
  groupBy: z.array(groupField),
  currency: z.literal('USD'),
  groups: z.array(costGroupSchema),
  totals: periodFiguresSchema.describe('Over all groups, also those beyond the limit.'),
  previous: z
    .object({
      from: z.iso.datetime(),
      to: z.iso.datetime(),
      unit: z.enum(['months', 'days', 'time']).describe('What it is as long as: months, days or time.'),
    })
    .optional()
    .describe('The period that is compared with.'),
  completedUnavailable: z
    .string()
    .optional()
    .describe('Why completed messages, though asked for, are not counted.'),
  truncated: z.boolean().describe('Whether there are more groups than the limit.'),
  messageCount: z
    .enum(messageCounts)
    .describe(
      'How messages are counted. estimated: within some percent where there are many; exact; none: they are left out.',
    ),
  source: z
    .enum(spendSources)
    .describe(
      'What the sums were asked of: rollups, the records themselves, or rollups and the records at the edges of the period.',
    ),
  exportLagSeconds: z
    .number()
    .optional()
    .describe('How far the report may be behind: the age of the oldest usage record that is not in it yet.'),
});

export type CostFiguresDocument = z.output<typeof costFiguresSchema>;
export type PeriodFiguresDocument = z.output<typeof periodFiguresSchema>;
export type CostReportDocument = z.output<typeof costReportSchema>;

/** The names of the figures, in the order in which they are written. */
export const costFigureNames = costFiguresSchema.keyof().options;
