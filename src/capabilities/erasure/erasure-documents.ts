import { z } from 'zod';
import type { ErasureState } from './erasure-ledger.ts';
import { requiredReason } from '../../http/change-reason.ts';

/* Erasures as the API asks for them and shows them. */

const name = (what: string) => z.string().min(1).max(512).describe(what);

/** The body of a request to erase. A field that is not known is a fault. */
export const erasureRequestSchema = z.strictObject({
  customer: name(
    "This customer: of all teams, or of `team`; only of the key's team when it has one.",
  ).optional(),
  team: name('With `customer` only that of this team; alone all customers of this team.').optional(),
  message: z.uuid().optional().describe('The id of a message: it and everything that belongs to its root.'),
  reason: requiredReason.describe('Why, for the audit: without the name.'),
  dryRun: z.boolean().default(false).describe('Only say what there is.'),
});

const counts = {
  messages: z.int().describe('Messages that would be erased.'),
  deadLetters: z.int().describe('Dead letters among them.'),
  calls: z.int().describe('Calls that would be erased.'),
  open: z
    .int()
    .describe(
      'Messages, calls and items of batches that are not at their end: nothing is erased until they are.',
    ),
  usageRows: z.int().describe('Rows in the column store that would be changed.'),
};

const previewSchema = z.object({ dryRun: z.literal(true), ...counts });

export const erasureSchema = z.object({
  dryRun: z.literal(false),
  id: z.string().describe('The id of the erasure, to ask for how far it is.'),
  kind: z.enum(['customer', 'team', 'message']).describe('What is erased.'),
  state: z
    .enum(['at_work', 'ended', 'failed'])
    .describe(
      'at_work: from the request until everything is done. failed: given up after five tries, see `failure`.',
    ),
  pseudonym: z
    .string()
    .optional()
    .describe("What stands in place of the customer's name afterwards; absent for a message."),
  beganAt: z.iso.datetime(),
  endedAt: z.iso.datetime().optional().describe('Absent while it is at work.'),
  failure: z
    .object({
      code: z.string().describe('The code of the last failure.'),
      tries: z.int().describe('Tries in a row that failed for the data.'),
      todo: z.string().describe('What to do.'),
    })
    .optional()
    .describe('Present when a try failed.'),
  messages: z.int().optional().describe('How many messages were erased; absent while it is at work.'),
});

export const requestedErasureSchema = z.union([previewSchema, erasureSchema]);

export type ErasureDocument = z.output<typeof erasureSchema>;
export type RequestedErasureDocument = z.output<typeof requestedErasureSchema>;

const failedTodo =
  "The export goes on, and what was not erased is still there. A maintenance process's log has the failure (job erasures): fix it, then ask for the erasure again.";
const retriedTodo =
  "It is tried again by itself, and nothing is exported until it has ended. A maintenance process's log has the failure (job erasures).";

export function describeErasure(state: ErasureState): ErasureDocument {
  const { id, kind, pseudonym, began_at: beganAt, ended_at: endedAt, messages, failure } = state;
  const isFailed = state.failed_at !== null;
  return {
    dryRun: false,
    id,
    kind,
    state: isFailed ? 'failed' : endedAt === null ? 'at_work' : 'ended',
    ...(kind === 'message' ? {} : { pseudonym }),
    beganAt: beganAt.toISOString(),
    ...(endedAt === null ? {} : { endedAt: endedAt.toISOString() }),
    ...(failure === null || (endedAt !== null && !isFailed)
      ? {}
      : { failure: { code: failure, tries: state.failures, todo: isFailed ? failedTodo : retriedTodo } }),
    ...(messages === null ? {} : { messages }),
  };
}
