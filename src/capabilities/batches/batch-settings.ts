import { z } from 'zod';
import { notifySchema } from './done/notify-settings.ts';
import { qualitySchema } from './done/quality-settings.ts';
import { capSettingsSchema } from './caps/cap-settings.ts';

/** How the items' calls are made: at once, at once in the providers' cheaper tier, in providers' batches, or as is cheapest by the deadline. */
export const batchModes = ['online', 'flex', 'provider', 'auto'] as const;
export type BatchMode = (typeof batchModes)[number];

/** Among whose items identical requests are answered once. */
export const shareScopes = ['none', 'customer', 'team'] as const;
export type ShareScope = (typeof shareScopes)[number];

const percent = z.number().min(0).max(100);

/** How a batch is run, as it is sent with it. Times are in seconds, shares in percent. */
export const batchSettingsSchema = z.strictObject({
  mode: z.enum(batchModes).default('online').describe('How calls are made.'),
  share: z
    .enum(shareScopes)
    .default('none')
    .describe(
      'Whether identical requests of its items are answered once, by one call: not at all, among items of the same customer, or of the whole team.',
    ),
  caps: capSettingsSchema
    .optional()
    .describe('What becomes of items that are larger than a bound, before anything is sent.'),
  chunk: z
    .strictObject({
      items: z.int().min(1).max(500).default(250).describe('Items of a chunk, at most.'),
      tokens: z
        .int()
        .min(1000)
        .max(10_000_000)
        .default(1_000_000)
        .describe('Estimated input tokens of a chunk, at most; a larger item is a chunk of its own.'),
      inFlight: z.int().min(1).max(64).default(8).describe('Chunks under way at the same time, at most.'),
    })
    .prefault({}),
  retry: z
    .strictObject({
      chunks: z
        .int()
        .min(0)
        .max(10)
        .default(3)
        .describe('How often a chunk is begun again for items that failed for a reason that passes.'),
      backoffSeconds: z.int().min(1).max(86_400).default(60).describe('Before the first time; then doubled.'),
    })
    .prefault({}),
  tripwire: z
    .strictObject({
      share: percent
        .default(20)
        .describe('The batch halts when more of its ended items than this failed for the same reason.'),
      items: z.int().min(1).max(1_000_000).default(50).describe('No halt before so many items have ended.'),
    })
    .prefault({}),
  success: z
    .strictObject({
      threshold: percent
        .default(100)
        .describe('The batch succeeds when at least this share of its items did.'),
    })
    .prefault({}),
  quality: qualitySchema
    .optional()
    .describe('A check of the output, when all items have ended and enough of them succeeded.'),
  notify: notifySchema.optional().describe('Who is told when the batch ends or halts.'),
  onInvalid: z
    .enum(['refuse', 'skip'])
    .default('refuse')
    .describe('Whether items that cannot be read refuse the whole input, or are left out as skipped.'),
});

export type BatchSettings = z.output<typeof batchSettingsSchema>;
