import { z } from 'zod';
import { type Block, blockScopes } from '../../engine/ledger/block.ts';
import type { ListedBlock } from '../../engine/ledger/blocks.ts';

/* Pauses as API and command line show them. */

const pauseShape = {
  id: z.string(),
  scope: z.enum(blockScopes),
  value: z.string().describe('What is paused: a name, or "provider/model"; empty for the scope "all".'),
  aborts: z.boolean().describe('Whether what was running was aborted, too.'),
  actor: z.string().describe('Who placed it, or changed it last.'),
  reason: z.string(),
  createdAt: z.iso.datetime(),
};

const pauseSchema = z.object(pauseShape);

export const pauseListSchema = z.object({
  pauses: z
    .array(
      z.object({
        ...pauseShape,
        waiting: z.int().describe('Messages that wait for it to end, as far as they are put aside.'),
      }),
    )
    .describe('The oldest comes first.'),
});

export const placedPauseSchema = z.object({
  pause: pauseSchema,
  isNew: z.boolean().describe('False when it stood already, and now has this reason.'),
  warnings: z.array(z.string()).describe('What may not be as it was meant.'),
});

export const resumedPauseSchema = z.object({ pause: pauseSchema });

export type PauseList = z.output<typeof pauseListSchema>;
export type PlacedPauseDocument = z.output<typeof placedPauseSchema>;
export type ResumedPauseDocument = z.output<typeof resumedPauseSchema>;

export function pauseDocument({
  id,
  scope,
  value,
  aborts,
  actor,
  reason,
  createdAt,
}: Block): z.output<typeof pauseSchema> {
  return { id, scope, value, aborts, actor, reason, createdAt: createdAt.toISOString() };
}

export function pauseListDocument(pauses: readonly ListedBlock[]): PauseList {
  return { pauses: pauses.map((pause) => ({ ...pauseDocument(pause), waiting: pause.waiting })) };
}
