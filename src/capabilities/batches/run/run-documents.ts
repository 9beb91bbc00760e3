import { z } from 'zod';
import { amountSchema } from '../../../http/document-parts.ts';
import { formatUsd, usd } from '../../../kernel/money.ts';
import { batchDocument, batchDocumentSchema } from '../batch-document.ts';
import { type Batch, checkStates, chunkStates, itemStates } from '../batch.ts';
import type { ChunkRange, StoredItem } from './batch-store.ts';

/* How batches that run are shown, by the API and by commands. */

const causeSchema = z.object({ code: z.string(), detail: z.string() });

export const batchListSchema = z.object({
  batches: z.array(batchDocumentSchema),
  next: z.string().optional().describe('For "after": there are more.'),
});

export const batchChunksSchema = z.object({
  chunks: z.array(
    z.object({
      first: z.int(),
      last: z.int(),
      state: z.enum(chunkStates),
      items: z.int(),
      ended: z.int().describe('Of the items.'),
      failed: z.int().describe('Of those that ended.'),
      attempts: z.int().describe('How often the one among them was begun that was begun most often.'),
      nextAt: z.iso.datetime().optional().describe('When the first of them is begun again.'),
      cause: causeSchema.optional().describe('Why they wait, or what they were given up for.'),
    }),
  ),
  next: z.string().optional().describe('For "after": there are more.'),
});

export const batchItemsSchema = z.object({
  items: z.array(
    z.object({
      id: z.string(),
      position: z.int(),
      chunk: z.int(),
      state: z.enum(itemStates),
      messageId: z.string(),
      customer: z.string().optional().describe('Where it names its own; likewise the team.'),
      team: z.string().optional(),
      error: causeSchema
        .omit({ detail: true })
        .extend({ message: z.string() })
        .optional()
        .describe('Of one that waits: what it failed with in the last attempt of its chunk.'),
      attempts: z.int().optional(),
      costUsd: amountSchema
        .nullable()
        .optional()
        .describe('Of the answers that it used; null where one has no price.'),
      tokens: z.object({ input: z.int(), output: z.int() }).optional(),
      endedAt: z.iso.datetime().optional(),
      check: z
        .object({
          state: z.enum(checkStates),
          reason: z
            .string()
            .optional()
            .describe('Why it failed, for callers with the scope `messages:data`.'),
        })
        .optional()
        .describe('Of one that was drawn for the quality gate.'),
      input: z
        .unknown()
        .optional()
        .describe('Of one that did not succeed, for callers with the scope `messages:data`.'),
    }),
  ),
  next: z.string().optional().describe('For "after": there are more.'),
});

export const batchRetrySchema = z.object({
  batch: batchDocumentSchema,
  items: z.int().describe('That run again.'),
});

export type BatchList = z.output<typeof batchListSchema>;
export type BatchChunks = z.output<typeof batchChunksSchema>;
export type BatchItems = z.output<typeof batchItemsSchema>;
export type BatchRetry = z.output<typeof batchRetrySchema>;

export function describeBatches(batches: readonly Batch[]): BatchList['batches'] {
  return batches.map((batch) => batchDocument(batch));
}

export function describeChunks(range: ChunkRange): BatchChunks['chunks'][number] {
  const { first, last, state, items, ended, failed, attempts, nextAt, cause } = range;
  return {
    first,
    last,
    state,
    items,
    ended,
    failed,
    attempts,
    ...(nextAt === undefined ? {} : { nextAt: nextAt.toISOString() }),
    ...(cause === undefined ? {} : { cause: { ...cause } }),
  };
}

export function describeItem(item: StoredItem, maySeeData: boolean): BatchItems['items'][number] {
  const { costUsd, unpriced, tokens, error, endedAt, attempts, check } = item;
  return {
    id: item.itemId,
    position: item.position,
    chunk: item.chunk,
    state: item.state,
    messageId: item.messageId,
    ...(item.customer === undefined ? {} : { customer: item.customer }),
    ...(item.team === undefined ? {} : { team: item.team }),
    ...(error === undefined ? {} : { error: { ...error } }),
    ...(attempts === undefined ? {} : { attempts }),
    ...(costUsd === undefined ? {} : { costUsd: unpriced > 0 ? null : formatUsd(usd(costUsd)) }),
    ...(tokens === undefined ? {} : { tokens: { ...tokens } }),
    ...(endedAt === undefined ? {} : { endedAt: endedAt.toISOString() }),
    ...(check === undefined
      ? {}
      : {
          check: {
            state: check.state,
            ...(maySeeData && check.reason !== undefined ? { reason: check.reason } : {}),
          },
        }),
    ...(maySeeData && item.data !== undefined ? { input: JSON.parse(item.data) as unknown } : {}),
  };
}
