import { z } from 'zod';
import { wholeNumberOrText } from '../../../kernel/written-number.ts';
import { requestEnds } from '../provider/provider-batch-request.ts';
import { providerBatchStates } from '../provider/provider-batch-state.ts';
import { requiredReason } from '../../../http/change-reason.ts';

/*
 * Providers' batches as API and command line ask for them and show them.
 */

/** Which are listed. */
export const listedStates = ['any', 'open', 'unresolved', 'closed'] as const;
export type ListedStates = (typeof listedStates)[number];

export const maxListed = 200;
const defaultListed = 50;

const cursor = z.string().transform((value, context) => {
  const [, plannedUs, id] = /^(\d{1,18})~([0-9a-f-]{36})$/.exec(value) ?? [];
  if (plannedUs !== undefined && id !== undefined && z.uuid().safeParse(id).success) return { plannedUs, id };
  context.addIssue({ code: 'custom', message: 'is the "next" of the answer before' });
  return z.NEVER;
});

/** The query of the list. */
export const listProviderBatchesSchema = z.strictObject({
  state: z.enum(listedStates, { error: `is any of ${listedStates.join(', ')}` }).default('any'),
  limit: wholeNumberOrText(`is a whole number from 1 to ${maxListed}`)
    .refine((value) => value >= 1 && value <= maxListed, `is a whole number from 1 to ${maxListed}`)
    .default(defaultListed),
  after: cursor.optional(),
});

/** What is listed, and from where on. */
export type ProviderBatchPage = z.output<typeof listProviderBatchesSchema>;

/** The body of a decision about a batch that cannot go on by itself. */
export const resolveRequestSchema = z.discriminatedUnion('resolution', [
  z.strictObject({
    resolution: z.literal('take-over').describe('It is this one at the provider.'),
    providerId: z
      .string()
      .min(1)
      .max(256)
      .regex(/^[\w-]+$/, 'is the id of a batch at the provider')
      .describe("The provider's id of the batch."),
    reason: requiredReason,
  }),
  z.strictObject({
    resolution: z
      .literal('send-again')
      .describe('It is not at the provider: it is sent again, and is paid twice if that is not so.'),
    reason: requiredReason,
  }),
  z.strictObject({
    resolution: z
      .literal('give-up')
      .describe('Its calls count as unsettled, with what they cost at most, and are made anew.'),
    reason: requiredReason,
  }),
]);

/** The decision as it is asked for. */
export type ResolveRequest = z.output<typeof resolveRequestSchema>;

export const providerBatchSchema = z.object({
  id: z.string(),
  batch: z
    .object({ team: z.string(), name: z.string() })
    .optional()
    .describe('The batch whose calls it holds.'),
  account: z.string().describe('The provider, as it is configured.'),
  model: z.string(),
  state: z.enum(providerBatchStates),
  unresolved: z
    .enum(['gone', 'several_found', 'unreadable'])
    .optional()
    .describe('Why it cannot go on by itself.'),
  providerId: z.string().optional().describe("The provider's id."),
  requests: z.int(),
  outcomes: z
    .partialRecord(z.enum(requestEnds), z.int())
    .optional()
    .describe('How its requests ended; absent until its results are collected.'),
  lastError: z.string().optional(),
  hinderedSince: z.iso
    .datetime()
    .optional()
    .describe(
      'Since when its steps have failed one after another, or its provider has not been configured; "lastError" says why. It goes on by itself when that is over.',
    ),
  plannedAt: z.iso.datetime(),
  createdAt: z.iso.datetime().optional().describe('When the provider was known to have it.'),
  nextAt: z.iso
    .datetime()
    .optional()
    .describe('When it is looked at next; absent when nothing more happens by itself.'),
  cancelRequestedAt: z.iso.datetime().optional(),
  closedAt: z.iso.datetime().optional(),
});

export type ProviderBatchDocument = z.output<typeof providerBatchSchema>;

export const providerBatchListSchema = z.object({
  providerBatches: z.array(providerBatchSchema).describe('The newest comes first.'),
  next: z.string().optional().describe('Give it as "after" for the next page; absent on the last.'),
});

export type ProviderBatchList = z.output<typeof providerBatchListSchema>;
