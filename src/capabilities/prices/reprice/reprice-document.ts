import { z } from 'zod';
import { isPrintableName, notPrintable } from '../../../kernel/printable-name.ts';
import { isReportable, reportableYears } from '../../../kernel/reportable-time.ts';
import { optionalReason } from '../../../http/change-reason.ts';

/* The request and the answer of POST /v1/prices/reprice. */

const moment = z
  .string({ error: 'is a date ("2026-03-01") or a time with its zone ("2026-03-01T12:00:00Z")' })
  .refine((text) => z.union([z.iso.datetime({ offset: true }), z.iso.date()]).safeParse(text).success, {
    error: 'is a date ("2026-03-01") or a time with its zone ("2026-03-01T12:00:00Z")',
    abort: true,
  })
  .refine((text) => isReportable(new Date(text)), reportableYears);
const name = z.string().min(1).max(512).refine(isPrintableName, notPrintable);

/** The longest period that is priced anew at once. */
const maxPeriodDays = 3_660;

/** The body of a request to price calls anew. A field that is not known is a fault. */
export const repriceRequestSchema = z
  .strictObject({
    from: moment.describe(
      'The first moment of the calls, included: a date (midnight UTC) or a time with its zone.',
    ),
    to: moment.describe('The last moment, excluded.'),
    provider: name.optional().describe('Only calls to this provider, by its configured name.'),
    model: name.optional().describe('Only calls that asked for this model.'),
    team: name.optional().describe('Only calls of this team.'),
    reason: optionalReason.describe(
      'Why, for the audit and the correction records; required but for a dry run.',
    ),
    dryRun: z.boolean().default(false).describe('Only say what would change.'),
    after: z
      .uuid()
      .optional()
      .describe('Where to go on: `next` of the answer before, with everything else as it was there.'),
    operationId: z.uuid().optional().describe('`operationId` of the answer before, where it goes on.'),
  })
  .refine(({ from, to }) => new Date(from) < new Date(to), { path: ['from'], error: 'lies before `to`' })
  .refine(({ from, to }) => new Date(to).getTime() - new Date(from).getTime() <= maxPeriodDays * 86_400_000, {
    path: ['from'],
    error: `lies at most ${maxPeriodDays} days before \`to\``,
  })
  .refine(({ reason, dryRun }) => dryRun || reason !== '', { path: ['reason'], error: 'says why' });

const amount = z.string().regex(/^-?\d+(\.\d+)?$/);
const count = z.int().min(0);

const figures = {
  calls: count.describe('Settled calls that were priced again.'),
  corrections: count.describe('Those whose cost is another one: each gets a correction record.'),
  newlyPriced: count.describe('Those of them that had no price.'),
  beforeUsd: amount.describe('What the calls cost as they are recorded.'),
  afterUsd: amount.describe('What they cost at the prices of today.'),
  changeUsd: amount,
};

/** The answer. */
export const repriceReportSchema = z.object({
  operationId: z.uuid().describe('In the audit, once a correction was written.'),
  dryRun: z.boolean(),
  priceBook: z.string().describe('The version of the price book.'),
  ...figures,
  kept: z
    .object({
      free: count.describe('Refused or never sent: they cost nothing.'),
      charged: count.describe('The provider said what it charged, which is what they cost.'),
      billed: count.describe('An operator said what was billed.'),
      erased: count.describe('What the provider told of them is erased.'),
      no_price: count.describe(
        'No price is known today, or not of all that they used: they keep what they have.',
      ),
    })
    .describe('Calls that are not priced again, by why.'),
  changedMeanwhile: count.describe(
    'Calls that something else changed at the same moment: the same request again prices them.',
  ),
  prunedCalls: count.describe(
    'Calls of about the period that have left the ledger and keep their cost. In the first answer only.',
  ),
  prunedMonths: z
    .array(z.object({ month: z.string().regex(/^\d{4}-\d{2}$/), calls: count }))
    .describe(
      'prunedCalls by the month of UTC in which they were settled: reports of these months keep old prices.',
    ),
  groups: z
    .array(z.object({ provider: z.string(), model: z.string(), team: z.string(), ...figures }))
    .describe('By provider, model and team, the greatest change first.'),
  otherGroups: z.boolean().describe('Whether there are more groups, whose figures are in the totals alone.'),
  next: z.uuid().optional().describe('There are more calls to look at: ask again with it as `after`.'),
});

export type RepriceRequest = z.output<typeof repriceRequestSchema>;
export type RepriceReport = z.output<typeof repriceReportSchema>;
