import { z } from 'zod';
import { batchFaultNames } from './batch-config.ts';

/*
 * What is known of files and batches, as it is written down: one record for each thing that happened.
 */

const count = z.int().min(0);
const id = z.string().min(1);

const fileSchema = z.object({
  id,
  filename: z.string(),
  purpose: z.string(),
  bytes: count,
  createdMs: z.number(),
});

/** A file, without its content. */
export type FileRecord = z.output<typeof fileSchema>;

const problemSchema = z.object({
  code: z.string(),
  line: z.int().nullable(),
  message: z.string(),
  param: z.string().nullable(),
});

/** Why OpenAI fails a batch as a whole. */
export type BatchProblem = z.output<typeof problemSchema>;

const faultsSchema = z.partialRecord(
  z.enum(batchFaultNames),
  z.object({ share: z.number(), delayMs: z.number() }),
);

/** The faults that strike a batch. */
export type BatchFaults = z.output<typeof faultsSchema>;

const batchSchema = z.object({
  id,
  /** What its draws follow from, with the seed. */
  number: count,
  provider: z.enum(['openai', 'anthropic']),
  /** The path of its requests, as the provider writes it: "/v1/chat/completions". */
  endpoint: z.string(),
  inputFileId: id,
  createdMs: z.number(),
  /** How long it would take to the end. */
  durationMs: z.number(),
  metadata: z.record(z.string(), z.string()).nullable(),
  requests: count,
  /** OpenAI's model, and what its items count for against the limit of enqueued tokens. */
  model: z.string().nullable(),
  inputTokens: count,
  faults: faultsSchema,
  /** Found when it was validated; shown when its validation is over. */
  problems: z.array(problemSchema),
});

/** A batch as it was created. */
export type BatchRecord = z.output<typeof batchSchema>;

const endSchema = z.object({
  id,
  atMs: z.number(),
  how: z.enum(['completed', 'expired', 'cancelled', 'failed']),
  succeeded: count,
  failed: count,
  cancelled: count,
  expired: count,
  inputTokens: count,
  outputTokens: count,
  outputFileId: id.nullable(),
  errorFileId: id.nullable(),
});

/** How a batch ended. */
export type BatchEnd = z.output<typeof endSchema>;

export const recordSchema = z.union([
  z.strictObject({ file: fileSchema }),
  z.strictObject({ fileRemoved: id }),
  z.strictObject({ batch: batchSchema }),
  z.strictObject({ cancelled: z.object({ id, atMs: z.number() }) }),
  z.strictObject({ ended: endSchema }),
  z.strictObject({ batchRemoved: id }),
]);

/** One thing that happened. */
export type BatchEvent = z.output<typeof recordSchema>;
