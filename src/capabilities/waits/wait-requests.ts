import { z } from 'zod';
import { wholeNumberOrText } from '../../kernel/written-number.ts';
import { requiredReason } from '../../http/change-reason.ts';

export const maxListedWaits = 200;

/** GET /v1/waits: the query string. */
export const listWaitsSchema = z.strictObject({
  limit: wholeNumberOrText(`is a whole number from 1 to ${maxListedWaits}`)
    .refine((value) => value >= 1 && value <= maxListedWaits, `is a whole number from 1 to ${maxListedWaits}`)
    .default(50),
  after: z
    .uuid('is the "next" of an earlier answer')
    .transform((value) => value.toLowerCase())
    .optional(),
});

/** POST /v1/waits/{token}: the body. */
export const completeWaitSchema = z.strictObject({
  data: z.unknown().refine((value) => value !== undefined, 'is the data of the message'),
  reason: requiredReason
    .default('The event that was waited for has come.')
    .describe('Why; it stands in the audit.'),
});
export type CompleteWait = z.output<typeof completeWaitSchema>;
