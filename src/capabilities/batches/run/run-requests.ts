import { z } from 'zod';
import { filterValue } from '../../../http/filter-value.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import { isReportable, reportableYears } from '../../../kernel/reportable-time.ts';
import { readWholeNumber, wholeNumberOrText } from '../../../kernel/written-number.ts';
import { batchStates, checkStates, itemStates } from '../batch.ts';
import { outputFormatNames } from '../done/output-formats.ts';
import { requiredReason } from '../../../http/change-reason.ts';

/* What may be asked about batches and of them. A field that is not known is a fault: a mistyped one that is ignored would do something else. */

export const maxListed = 200;
const defaultListed = 50;
const maxValues = 50;
const maxPosition = 2_147_483_647;
const maxPriority = 1000;

/** A place in the list of batches: when one was made, in microseconds, and its id. */
export interface BatchPlace {
  readonly createdUs: string;
  readonly id: Uuid;
}

const listOf = <Item extends z.ZodType>(item: Item) =>
  z.preprocess(
    (value) => (Array.isArray(value) ? (value as readonly unknown[]) : [value]),
    z.array(item).min(1, 'has a value').max(maxValues, `has at most ${maxValues} values`),
  );
const limit = wholeNumberOrText(`is a whole number from 1 to ${maxListed}`)
  .refine((value) => value >= 1 && value <= maxListed, `is a whole number from 1 to ${maxListed}`)
  .default(defaultListed);
const place = z.string().transform((value, context): BatchPlace => {
  const [, createdUs, id] = /^(\d{1,17})~([0-9a-f-]{36})$/.exec(value) ?? [];
  if (createdUs !== undefined && id !== undefined && z.uuid().safeParse(id).success) return { createdUs, id };
  context.addIssue({ code: 'custom', message: 'is the "next" of an earlier answer' });
  return z.NEVER;
});
const position = z
  .string()
  .transform((value, context) => {
    const number = readWholeNumber(value);
    if (number !== undefined && number <= maxPosition) return number;
    context.addIssue({ code: 'custom', message: 'is the "next" of an earlier answer' });
    return z.NEVER;
  })
  .default(0);

/** GET /v1/batches: the query string. */
export const listBatchesSchema = z
  .strictObject({
    state: listOf(z.enum(batchStates, { error: `is any of ${batchStates.join(', ')}` })).optional(),
    pipeline: listOf(filterValue(128)).optional(),
    limit,
    after: place.optional(),
  })
  .transform(({ state, pipeline, ...page }) => ({ filter: { state, pipeline }, ...page }));

/** GET /v1/batches/{id}/chunks: the query string. */
export const listChunksSchema = z.strictObject({ limit, after: position });

/** GET /v1/batches/{id}/items: the query string. */
export const listItemsSchema = z.strictObject({
  state: listOf(z.enum(itemStates, { error: `is any of ${itemStates.join(', ')}` })).optional(),
  check: listOf(z.enum(checkStates, { error: `is any of ${checkStates.join(', ')}` })).optional(),
  limit,
  after: position,
});

/** GET /v1/batches/{id}/output: the query string. */
export const outputSchema = z.strictObject({
  partial: z
    .enum(['true', 'false'], { error: 'is true or false' })
    .default('false')
    .transform((text) => text === 'true'),
  format: z
    .enum(outputFormatNames, { error: `is any of ${outputFormatNames.join(', ')}, given once` })
    .optional(),
});

/** A query string that has nothing to say. */
export const nothingSchema = z.strictObject({});

/** POST /v1/batches/{id}/pause, resume, cancel and retry: the body. */
export const batchOrderSchema = z.strictObject({ reason: requiredReason });

/** PATCH /v1/batches/{id}: the body. */
export const changeBatchSchema = z
  .strictObject({
    priority: z
      .int()
      .min(-maxPriority)
      .max(maxPriority)
      .optional()
      .describe('Of two batches that both could go on, the higher one does.'),
    deadline: z.iso
      .datetime({ offset: true, error: 'is a time with its zone, as in 2026-03-01T12:00:00Z, or null' })
      .transform((text) => new Date(text))
      .refine(isReportable, reportableYears)
      .nullable()
      .optional()
      .describe('Items that have not ended by then expire; null: never.'),
    reason: requiredReason,
  })
  .refine(({ priority, deadline }) => priority !== undefined || deadline !== undefined, {
    path: ['priority'],
    error: 'this or "deadline" is given',
  });

/** A place in the list as an answer's "next" carries it. */
export function placeText({ createdUs, id }: BatchPlace): string {
  return `${createdUs}~${id}`;
}
