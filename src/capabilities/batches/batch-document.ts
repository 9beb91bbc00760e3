import { z } from 'zod';
import { amountSchema, originDocument, originSchema } from '../../http/document-parts.ts';
import { type Batch, batchStates } from './batch.ts';
import { batchSettingsSchema } from './batch-settings.ts';

/** How the output of a batch was judged. */
export const qualityResultSchema = z.object({
  validator: z.string(),
  minimum: z.number().describe('Percent.'),
  drawn: z.int().describe('Items that are checked.'),
  passed: z.int(),
  failed: z.int(),
});

/** A batch, as the API and the commands show it. */
export const batchDocumentSchema = z.object({
  id: z.string(),
  name: z.string().describe('The batch in the origin of its messages.'),
  origin: originSchema.describe('Of items that name no other.'),
  pipeline: z.string(),
  type: z.string().describe("Of its items' messages."),
  version: z.int(),
  settings: batchSettingsSchema,
  state: z.enum(batchStates),
  cause: z
    .object({ code: z.string(), detail: z.string() })
    .optional()
    .describe('Why it is halted, or ended as it did.'),
  priority: z.int(),
  deadline: z.string().optional(),
  upload: z
    .enum(['none', 'receiving', 'complete', 'faulty'])
    .describe('How its items came in; it can be started when they are complete.'),
  items: z.object({
    total: z.int(),
    open: z.int().describe('That have not ended.'),
    succeeded: z.int(),
    failed: z.int(),
    expired: z.int(),
    cancelled: z.int(),
    skipped: z.int().describe('Left out, since they could not be read.'),
  }),
  chunks: z.int(),
  modes: z
    .array(z.object({ model: z.string(), mode: z.string(), reason: z.string(), decidedAt: z.string() }))
    .optional()
    .describe('Of one batch that is not "online": how calls to each model are made, and why.'),
  costUsd: amountSchema.describe('Of the answers that its ended items used.'),
  unpriced: z.int().describe('Answers of these that have no price.'),
  quality: qualityResultSchema
    .optional()
    .describe('Of a batch that asks for it, once its items are drawn: how its output was judged.'),
  actor: z.string(),
  createdAt: z.string(),
  startedAt: z.string().optional(),
  endedAt: z.string().optional(),
});

export type BatchDocument = z.output<typeof batchDocumentSchema>;

/** How calls to a model are made, and why. */
export interface ModeNote {
  readonly model: string;
  readonly mode: string;
  readonly reason: string;
  readonly decidedAt: Date;
}

export function batchDocument(batch: Batch, modes: readonly ModeNote[] = []): BatchDocument {
  const { ended, items, cause, deadline, startedAt, endedAt } = batch;
  const open = items - ended.succeeded - ended.failed - ended.expired - ended.cancelled - ended.skipped;
  return {
    id: batch.id,
    name: batch.origin.batch,
    origin: originDocument(batch.origin),
    pipeline: batch.pipeline,
    type: batch.type,
    version: batch.version,
    settings: batch.settings,
    state: batch.state,
    ...(cause === undefined ? {} : { cause: { ...cause } }),
    priority: batch.priority,
    ...(deadline === undefined ? {} : { deadline: deadline.toISOString() }),
    upload: batch.uploadState,
    items: { total: items, open, ...ended },
    chunks: batch.chunks,
    ...(modes.length === 0
      ? {}
      : { modes: modes.map((note) => ({ ...note, decidedAt: note.decidedAt.toISOString() })) }),
    costUsd: batch.costUsd,
    unpriced: batch.unpriced,
    ...qualityResult(batch),
    actor: batch.actor,
    createdAt: batch.createdAt.toISOString(),
    ...(startedAt === undefined ? {} : { startedAt: startedAt.toISOString() }),
    ...(endedAt === undefined ? {} : { endedAt: endedAt.toISOString() }),
  };
}

/** How the output was judged, where it is checked and the items are drawn. */
export function qualityResult({ settings: { quality }, checks }: Pick<Batch, 'settings' | 'checks'>): {
  readonly quality?: z.output<typeof qualityResultSchema>;
} {
  if (quality === undefined || checks === undefined) return {};
  return { quality: { validator: quality.validator, minimum: quality.minimum, ...checks } };
}
