import { z } from 'zod';
import { formatUsd } from '../../kernel/money.ts';
import { amountSchema, originDocument, originSchema } from '../../http/document-parts.ts';
import type { MessageSummary } from './message-search.ts';
import { messageStates } from '../../engine/ledger/message-state.ts';

/* Messages as the API and the command line show them. */

const summarySchema = z.object({
  id: z.string(),
  rootId: z.string(),
  parentId: z.string().optional(),
  source: z.string(),
  eventId: z.string(),
  type: z.string(),
  version: z.int(),
  pipeline: z.string(),
  stage: z.string().describe('Empty for an output of the pipeline.'),
  owner: z.string(),
  lane: z.string(),
  origin: originSchema,
  item: z.string(),
  state: z.enum(messageStates),
  deliveries: z.int().describe('How often a worker took it.'),
  attempts: z.int().describe('Attempts that failed and counted.'),
  errorCode: z.string().optional(),
  waitsFor: z
    .string()
    .optional()
    .describe(
      'What must be lifted before it goes on: "pause:…", "budget:…", "order" behind another of its key, or "start" before its time.',
    ),
  dueAt: z.iso.datetime().optional().describe('Of one that waits: when it is due, or since when.'),
  startAt: z.iso
    .datetime()
    .optional()
    .describe('Of one that was sent to start later: when. It waits for "start" until then.'),
  createdAt: z.iso.datetime(),
  takenAt: z.iso.datetime().optional().describe('When a worker took it last.'),
  finishedAt: z.iso.datetime().optional(),
  waitMs: z.int().optional().describe('From when it was due until it was taken last.'),
  runMs: z.int().optional().describe('From when it was taken last to its end.'),
  calls: z.int(),
  costUsd: amountSchema.describe('Settled and estimated spend of its own calls, an exact decimal string.'),
  unpricedCalls: z.int().describe('Calls whose cost is not in it because no price is known.'),
  unsettledCalls: z.int().describe('Calls whose cost is not in it: under way, or of unknown outcome.'),
  openUpperBoundUsd: amountSchema.describe(
    'What the calls that are not settled, or only estimated, can have cost at most.',
  ),
});

export const messageListSchema = z.object({
  messages: z.array(summarySchema).describe('Newest first.'),
  next: z
    .string()
    .optional()
    .describe(
      'Where the next page begins, for `after`; absent on the last page. A page may hold fewer messages than asked for, even none, and still have a next.',
    ),
});

export const messageTreeSchema = z.object({
  rootId: z.string(),
  messages: z
    .array(summarySchema)
    .describe('Every message of the tree, oldest first; `parentId` says what each follows from.'),
  isCut: z.boolean().describe('Whether there are more than are shown.'),
});

export const messageDataSchema = z.object({
  id: z.string(),
  type: z.string(),
  version: z.int(),
  data: z.unknown().optional(),
  dataProblem: z
    .object({ code: z.string(), message: z.string() })
    .optional()
    .describe('Why the data cannot be shown.'),
  result: z.unknown().optional().describe('What its handler returned.'),
});

const skippedReasons = ['unknown', 'ended', 'dead_lettered', 'running', 'due', 'waits'] as const;

export const steeredSchema = z.object({
  dryRun: z.boolean(),
  actionId: z.string().optional().describe('Of the audit; absent when nothing was changed.'),
  count: z.int(),
  hasMore: z.boolean().describe('Whether the selection holds more than `max`.'),
  stages: z.array(z.object({ stage: z.string(), owner: z.string(), count: z.int() })),
  skipped: z
    .array(z.object({ id: z.string(), reason: z.enum(skippedReasons), todo: z.string() }))
    .describe('Of the ids that were given: those that were left as they are.'),
});

export type MessageSummaryDocument = z.output<typeof summarySchema>;
export type MessageList = z.output<typeof messageListSchema>;
export type MessageTree = z.output<typeof messageTreeSchema>;
export type MessageData = z.output<typeof messageDataSchema>;
export type Steered = z.output<typeof steeredSchema>;
export type SkippedReason = (typeof skippedReasons)[number];

export function describeSummary(message: MessageSummary): MessageSummaryDocument {
  const {
    parentId,
    errorCode,
    waitsFor,
    dueAt,
    startAt,
    takenAt,
    finishedAt,
    createdAt,
    origin,
    costUsd,
    openUpperBoundUsd,
    ...rest
  } = message;
  const waitMs = takenAt && Math.max(0, takenAt.getTime() - dueAt.getTime());
  const runMs = takenAt && finishedAt && Math.max(0, finishedAt.getTime() - takenAt.getTime());
  return {
    ...rest,
    ...(parentId === undefined ? {} : { parentId }),
    origin: originDocument(origin),
    ...(errorCode === undefined ? {} : { errorCode }),
    ...(waitsFor === undefined ? {} : { waitsFor }),
    ...(message.state === 'pending' ? { dueAt: dueAt.toISOString() } : {}),
    ...(startAt === undefined ? {} : { startAt: startAt.toISOString() }),
    createdAt: createdAt.toISOString(),
    ...(takenAt === undefined ? {} : { takenAt: takenAt.toISOString() }),
    ...(finishedAt === undefined ? {} : { finishedAt: finishedAt.toISOString() }),
    ...(waitMs === undefined ? {} : { waitMs }),
    ...(runMs === undefined ? {} : { runMs }),
    costUsd: formatUsd(costUsd),
    openUpperBoundUsd: formatUsd(openUpperBoundUsd),
  };
}
