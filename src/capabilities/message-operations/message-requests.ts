import { z } from 'zod';
import { filterValue } from '../../http/filter-value.ts';
import { messageStates } from '../../engine/ledger/message-state.ts';
import type { MessageFilter, MessagePlace } from './message-selection.ts';
import { requiredReason } from '../../http/change-reason.ts';

/*
 * What may be asked about messages, by query string or body. A field that is not known is a fault: a mistyped filter that
 * is ignored would cancel the wrong messages.
 */

export const maxListedMessages = 200;
const defaultListed = 50;
export const maxSteered = 10_000;
const defaultSteered = 1_000;
const maxIds = 1_000;
const maxFilterValues = 200;

/** The filters that may be given more than one value, as they stand in query strings and on command lines. */
export const messageFilterFields = [
  'state',
  'stage',
  'pipeline',
  'owner',
  'team',
  'customer',
  'feature',
  'batch',
  'type',
  'event_id',
  'error_code',
] as const;

const listOf = <Item extends z.ZodType>(item: Item) =>
  z.preprocess(
    (value) => (Array.isArray(value) ? (value as readonly unknown[]) : [value]),
    z.array(item).min(1, 'has a value').max(maxFilterValues, `has at most ${maxFilterValues} values`),
  );
const values = listOf(filterValue(1024));
const states = listOf(z.enum(messageStates, { error: `is any of ${messageStates.join(', ')}` }));
/** Years that every date and time stamp of the ledger can hold. */
const moment = z
  .union([z.iso.datetime({ offset: true }), z.iso.date()], {
    error:
      'is a date ("2026-03-01") or a time with its zone ("2026-03-01T12:00:00Z", a "+" in a URL written as %2B)',
  })
  .transform((value) => new Date(value))
  .refine(
    (value) => value.getUTCFullYear() >= 1 && value.getUTCFullYear() <= 9999,
    'is in a year from 1 to 9999',
  );
const id = z.uuid('is the id of a message').transform((value) => value.toLowerCase());

const filterShape = {
  state: states.optional(),
  stage: values.optional(),
  pipeline: values.optional(),
  owner: values.optional(),
  team: values.optional(),
  customer: values.optional(),
  feature: values.optional(),
  batch: values.optional(),
  type: values.optional(),
  event_id: values.optional(),
  error_code: values.optional(),
  from: moment.optional(),
  to: moment.optional(),
};
const filterSchema = z.strictObject(filterShape);

const countText = `is a whole number from 1 to ${maxListedMessages}`;
const limit = z
  .union(
    [
      z.int(),
      z
        .string()
        .regex(/^[1-9]\d{0,3}$/, countText)
        .transform(Number),
    ],
    { error: countText },
  )
  .refine((value) => value >= 1 && value <= maxListedMessages, countText);

const cursor = z.string().transform((value, context): MessagePlace => {
  const [, createdUs, lastId] = /^(\d{1,17})~([0-9a-f-]{36})$/.exec(value) ?? [];
  if (createdUs !== undefined && lastId !== undefined && z.uuid().safeParse(lastId).success)
    return { createdUs, id: lastId };
  context.addIssue({ code: 'custom', message: 'is the "next" of an earlier answer' });
  return z.NEVER;
});

/** GET /v1/messages: the query string. */
export const listMessagesSchema = z
  .strictObject({ ...filterShape, limit: limit.optional(), after: cursor.optional() })
  .transform(({ limit: most = defaultListed, after, ...filter }) => ({
    filter: filterOf(filter),
    limit: most,
    after,
  }));

/** POST /v1/messages/cancel and /v1/messages/retry: the body. What is meant is said, by ids, by a filter, or by both. */
export const steerRequestSchema = z
  .strictObject({
    ids: z.array(id).min(1, 'has an id').max(maxIds, `has at most ${maxIds} ids`).optional(),
    filter: filterSchema.optional(),
    max: z.int().min(1).max(maxSteered).optional(),
    reason: requiredReason.optional(),
    dryRun: z.boolean().optional(),
  })
  .superRefine(({ ids, filter, reason, dryRun }, context) => {
    if (ids === undefined && filter === undefined) {
      context.addIssue({
        code: 'custom',
        path: ['ids'],
        message: 'this or "filter" is given; the filter {} selects every message that has not ended',
      });
    }
    if (reason === undefined && dryRun !== true)
      context.addIssue({ code: 'custom', path: ['reason'], message: 'says why; only a dry run needs none' });
  })
  .transform(({ ids, filter, max = defaultSteered, reason = '', dryRun = false }) => ({
    filter: { ...(filter === undefined ? {} : filterOf(filter)), ...(ids === undefined ? {} : { ids }) },
    max,
    reason,
    dryRun,
  }));

export type SteerRequest = z.output<typeof steerRequestSchema>;

/** A place in the list as an answer's "next" carries it. */
export function messageCursor({ createdUs, id: lastId }: MessagePlace): string {
  return `${createdUs}~${lastId}`;
}

function filterOf({
  event_id: eventId,
  error_code: errorCode,
  ...fields
}: z.output<typeof filterSchema>): MessageFilter {
  const given = Object.entries({ ...fields, eventId, errorCode }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given);
}
