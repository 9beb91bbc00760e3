import { z } from 'zod';
import { type Hold, holdScopes } from '../../engine/ledger/hold.ts';
import type { ListedHold } from '../../engine/ledger/holds.ts';

/* Holds as API and command line show them. */

const holdShape = {
  id: z.string(),
  scope: z.enum(holdScopes),
  value: z.string().describe('What is held: a name, or "provider/model"; empty for the scope "all".'),
  aborts: z.boolean().describe('Whether what was in the air was aborted, too.'),
  actor: z.string().describe('Who placed it, or changed it last.'),
  reason: z.string(),
  createdAt: z.iso.datetime(),
};

const holdSchema = z.object(holdShape);

export const holdListSchema = z.object({
  holds: z
    .array(
      z.object({
        ...holdShape,
        waiting: z.int().describe('Messages that wait for it to be lifted, as far as they are put aside.'),
      }),
    )
    .describe('The oldest comes first.'),
});

export const placedHoldSchema = z.object({
  hold: holdSchema,
  isNew: z.boolean().describe('False when it stood already, and now has this reason.'),
  warnings: z.array(z.string()).describe('What may not be as it was meant.'),
});

export const liftedHoldSchema = z.object({ hold: holdSchema });

export type HoldList = z.output<typeof holdListSchema>;
export type PlacedHoldDocument = z.output<typeof placedHoldSchema>;
export type LiftedHoldDocument = z.output<typeof liftedHoldSchema>;

export function holdDocument({
  id,
  scope,
  value,
  aborts,
  actor,
  reason,
  createdAt,
}: Hold): z.output<typeof holdSchema> {
  return { id, scope, value, aborts, actor, reason, createdAt: createdAt.toISOString() };
}

export function holdListDocument(holds: readonly ListedHold[]): HoldList {
  return { holds: holds.map((hold) => ({ ...holdDocument(hold), waiting: hold.waiting })) };
}
