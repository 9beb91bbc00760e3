import { z } from 'zod';

/** Everything that can go wrong with a batch. Several rules may strike one batch. */
export const batchFaultNames = [
  // The file was not taken; was taken, and the answer was a server error, or the connection broke.
  'upload_refused',
  'upload_error_after',
  'upload_cut_after',
  // The batch was not accepted; was accepted, and the answer was a server error, or the connection broke.
  'create_refused',
  'create_error_after',
  'create_cut_after',
  // `delayMs` longer, of which a day is what lets some of its items expire.
  'slow',
  // The whole batch fails after it was accepted. OpenAI only.
  'fail_late',
  // Accepted and worked on, and then neither found nor listed.
  'lose',
  // The counts, the sum of usage of the batch (OpenAI only), are not true.
  'lie_counts',
  'lie_usage',
  // "completed" with every item failed and an output file id that is null, absent, or an empty text. OpenAI only.
  'output_null',
  'output_absent',
  'output_blank',
  // "completed", every item billed, and no output file or an empty one.
  'output_lost',
  'output_empty',
  // Of a share of the items: a server error; HTTP status 0 (OpenAI only); no line; a line twice; a line that is no JSON.
  'fail_items',
  'status_zero',
  'lose_lines',
  'repeat_lines',
  'break_lines',
  // A line about an item that nobody sent.
  'foreign_line',
  // A look at the batch meets a server error.
  'poll_error',
  // The connection breaks in the middle of the results.
  'cut_download',
] as const;

export type BatchFaultName = (typeof batchFaultNames)[number];

const batchRuleSchema = z.strictObject({
  match: z
    .strictObject({
      provider: z.enum(['openai', 'anthropic']).optional(),
      /** A text that must stand somewhere in the requests. */
      contains: z.string().min(1).optional(),
    })
    .default({}),
  fault: z.enum(batchFaultNames),
  /** Drawn once for each batch or file. */
  probability: z.number().min(0).max(1).default(1),
  /** How often it may strike in all. */
  times: z.int().min(0).optional(),
  /** For `slow`: what is added to the batch's duration. */
  delayMs: z.int().min(0).default(0),
  /** For faults of items: of how many, drawn for each. */
  share: z.number().min(0).max(1).default(0.1),
});

/** One rule about batches. */
export type BatchRule = z.output<typeof batchRuleSchema>;

/** A rule as it is given: what has a default may be left out. */
export type BatchRuleInput = z.input<typeof batchRuleSchema>;

export const batchRulesSchema = z.array(batchRuleSchema).max(1000);

/** How batches run. */
export const batchConfigSchema = z
  .strictObject({
    rules: batchRulesSchema.default([]),
    /** From creation until every item is done; 0 is done at the first look. Items are done at times drawn from the seed. */
    durationMs: z.int().min(0).default(0),
    /** After this time from creation what is not done expires. */
    expiresAfterMs: z
      .int()
      .min(1)
      .default(24 * 60 * 60 * 1000),
    /** How long a batch that is cancelled goes on with what is under way. */
    cancellingMs: z.int().min(0).default(0),
    maxFileBytes: z
      .int()
      .min(1)
      .default(200 * 1024 * 1024),
    maxRequestsPerFile: z.int().min(1).default(50_000),
    maxRequestsPerMessageBatch: z.int().min(1).default(100_000),
    /** Tokens of input that open batches may hold, by model as asked; "*" for every model without one of its own. OpenAI only. */
    enqueuedTokens: z.record(z.string(), z.int().min(1)).default({}),
  })
  .prefault({});

export type BatchConfig = z.output<typeof batchConfigSchema>;
