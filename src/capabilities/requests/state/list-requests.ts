import { z } from 'zod';
import { filterValue } from '../../../http/filter-value.ts';
import { wholeNumberOrText } from '../../../kernel/written-number.ts';
import { requestStates } from '../request.ts';
import { requiredReason } from '../../../http/change-reason.ts';

/* What may be asked about requests. A field that is not known is a fault: a mistyped filter that is ignored would show the wrong ones. */

export const maxListed = 200;
const defaultListed = 50;
const maxValues = 50;

const listOf = <Item extends z.ZodType>(item: Item) =>
  z.preprocess(
    (value) => (Array.isArray(value) ? (value as readonly unknown[]) : [value]),
    z.array(item).min(1, 'has a value').max(maxValues, `has at most ${maxValues} values`),
  );
const values = listOf(filterValue(128)).optional();

/** The filters that may be given more than one value. */
export const requestFilterFields = ['team', 'customer', 'feature', 'pipeline'] as const;

/** GET /v1/requests: the query string. */
export const listRequestsSchema = z
  .strictObject({
    state: listOf(z.enum(requestStates, { error: `is any of ${requestStates.join(', ')}` })).optional(),
    team: values,
    customer: values,
    feature: values,
    pipeline: values,
    limit: wholeNumberOrText(`is a whole number from 1 to ${maxListed}`)
      .refine((value) => value >= 1 && value <= maxListed, `is a whole number from 1 to ${maxListed}`)
      .default(defaultListed),
    after: z
      .uuid('is the "next" of an earlier answer')
      .transform((value) => value.toLowerCase())
      .optional(),
  })
  .transform(({ limit, after, ...filter }) => ({ filter, limit, after }));

/** POST /v1/requests/{id}/cancel: the body. */
export const cancelRequestSchema = z.strictObject({
  reason: requiredReason.default('Its client has cancelled it.').describe('Why; it stands in the audit.'),
});
