import { z } from 'zod';
import { filterValue } from '../../http/filter-value.ts';
import { isReportable, reportableYears } from '../../kernel/reportable-time.ts';
import { wholeNumberOrText } from '../../kernel/written-number.ts';
import type { DeadLetterFilter, DeadLetterPlace } from './dead-letter.ts';
import { requiredReason } from '../../http/change-reason.ts';

/*
 * What may be asked about dead letters, by query string or body. A field that is not known is a fault: a mistyped
 * filter that is ignored would replay the wrong messages.
 */

export const maxListed = 200;
const defaultListed = 50;
export const maxOperated = 10_000;
const defaultOperated = 1_000;
const maxIds = 1_000;
const maxFilterValues = 200;
const maxRatePerSecond = 10_000;

/** The filters that may be given more than one value, as they stand in query strings and on command lines. */
export const deadLetterFilterFields = [
  'stage',
  'pipeline',
  'owner',
  'team',
  'customer',
  'feature',
  'batch',
  'error_code',
] as const;

/** Whether discarded dead letters are left out, wanted alone, or wanted too. */
export const discardedChoices = ['no', 'only', 'any'] as const;

const values = z.preprocess(
  (value) => (Array.isArray(value) ? (value as readonly unknown[]) : [value]),
  z
    .array(filterValue(512))
    .min(1, 'has a value')
    .max(maxFilterValues, `has at most ${maxFilterValues} values`),
);
const moment = z
  .union([z.iso.datetime({ offset: true }), z.iso.date()], {
    error:
      'is a date ("2026-03-01") or a time with its zone ("2026-03-01T12:00:00Z", a "+" in a URL written as %2B)',
  })
  .transform((value) => new Date(value))
  .refine(isReportable, reportableYears);
const id = z.uuid('is the id of a message').transform((value) => value.toLowerCase());

const filterShape = {
  stage: values.optional(),
  pipeline: values.optional(),
  owner: values.optional(),
  team: values.optional(),
  customer: values.optional(),
  feature: values.optional(),
  batch: values.optional(),
  error_code: values.optional(),
  from: moment.optional(),
  to: moment.optional(),
  discarded: z.enum(discardedChoices, { error: `is any of ${discardedChoices.join(', ')}` }).optional(),
};

const filterSchema = z.strictObject(filterShape);

/** A query string's number. */
const count = (max: number) =>
  wholeNumberOrText(`is a whole number from 1 to ${max}`).refine(
    (value) => value >= 1 && value <= max,
    `is a whole number from 1 to ${max}`,
  );

const cursor = z.string().transform((value, context) => {
  const [, diedUs, lastId] = /^(\d{1,18})~([0-9a-f-]{36})$/.exec(value) ?? [];
  if (diedUs !== undefined && lastId !== undefined && z.uuid().safeParse(lastId).success)
    return { diedUs, id: lastId };
  context.addIssue({ code: 'custom', message: 'is the "next" of an earlier answer' });
  return z.NEVER;
});

/** GET /v1/dead-letters: the query string. */
export const listDeadLettersSchema = z
  .strictObject({ ...filterShape, limit: count(maxListed).optional(), after: cursor.optional() })
  .transform(({ limit = defaultListed, after, ...filter }) => ({ filter: filterOf(filter), limit, after }));

const selectionShape = {
  ids: z.array(id).min(1, 'has an id').max(maxIds, `has at most ${maxIds} ids`).optional(),
  filter: filterSchema.optional(),
  max: z.int().min(1).max(maxOperated).optional(),
  reason: requiredReason.optional(),
};

interface Selection {
  readonly ids?: string[] | undefined;
  readonly filter?: z.output<typeof filterSchema> | undefined;
  readonly reason?: string | undefined;
  readonly dryRun?: boolean | undefined;
}

/** What is to be operated on is said, by ids, by a filter, or by both; all of it is `"filter": {}`. */
function checkSelection({ ids, filter, reason, dryRun }: Selection, context: z.core.$RefinementCtx): void {
  if (ids === undefined && filter === undefined) {
    context.addIssue({
      code: 'custom',
      path: ['ids'],
      message: 'this or "filter" is given; the filter {} selects every dead letter',
    });
  }
  if (reason === undefined && dryRun !== true) {
    context.addIssue({ code: 'custom', path: ['reason'], message: 'says why; only a dry run needs none' });
  }
}

/** POST /v1/dead-letters/replay: the body. */
export const replayRequestSchema = z
  .strictObject({
    ...selectionShape,
    dryRun: z.boolean().optional(),
    ratePerSecond: z
      .number()
      .min(0.001, 'is at least 0.001')
      .max(maxRatePerSecond, `is at most ${maxRatePerSecond}`)
      .optional(),
  })
  .superRefine(checkSelection)
  .transform(({ ids, filter, max = defaultOperated, reason = '', dryRun = false, ratePerSecond }) => ({
    filter: selectionOf(ids, filter),
    max,
    reason,
    dryRun,
    ratePerSecond,
  }));

/** POST /v1/dead-letters/discard: the body. */
export const discardRequestSchema = z
  .strictObject(selectionShape)
  .superRefine(checkSelection)
  .transform(({ ids, filter, max = defaultOperated, reason = '' }) => ({
    filter: selectionOf(ids, filter),
    max,
    reason,
  }));

/** A place in the list as an answer's "next" carries it. */
export function cursorText({ diedUs, id: lastId }: DeadLetterPlace): string {
  return `${diedUs}~${lastId}`;
}

function selectionOf(
  ids: readonly string[] | undefined,
  filter: z.output<typeof filterSchema> | undefined,
): DeadLetterFilter {
  return { ...(filter === undefined ? {} : filterOf(filter)), ...(ids === undefined ? {} : { ids }) };
}

function filterOf({ error_code: errorCode, ...fields }: z.output<typeof filterSchema>): DeadLetterFilter {
  const given = Object.entries({ ...fields, errorCode }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given);
}
