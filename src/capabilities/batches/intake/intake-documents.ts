import { z } from 'zod';
import { batchDocument, batchDocumentSchema } from '../batch-document.ts';
import type { TakenUpload } from './batch-uploads.ts';
import { batchEstimateSchema } from './estimate-document.ts';

/** What an upload came to. */
export const batchUploadSchema = z.object({
  batch: batchDocumentSchema,
  items: z.int(),
  skipped: z.int().describe('Of these, items that are left out, since they cannot be read.'),
  chunks: z.int(),
  inputTokens: z.int().describe("Of the items' data, by its characters."),
  inputBytes: z.int(),
  faults: z
    .array(z.object({ field: z.string(), problem: z.string() }))
    .describe('Of items that are left out, by line or row; a thousand at most.'),
  faultCount: z.int().describe('All of them.'),
});

export type BatchUpload = z.output<typeof batchUploadSchema>;

/** A batch that was started, or with `dryRun` what it is expected to cost. */
export const startedBatchSchema = z.object({
  dryRun: z.boolean(),
  batch: batchDocumentSchema,
  estimate: batchEstimateSchema.optional().describe('With dryRun.'),
});

export type StartedBatch = z.output<typeof startedBatchSchema>;

export function uploadDocument({ batch, faults, faultCount }: TakenUpload): BatchUpload {
  return {
    batch: batchDocument(batch),
    items: batch.items,
    skipped: batch.ended.skipped,
    chunks: batch.chunks,
    inputTokens: batch.inputTokens,
    inputBytes: batch.inputBytes,
    faults: faults.map((fault) => ({ ...fault })),
    faultCount,
  };
}
