import { z } from 'zod';
import { isStorableText, storableProblem } from '../../../kernel/storable-text.ts';
import { overlayEntrySchema } from '../../../pricing/overlay-content.ts';
import type { PriceOverride } from '../../../engine/ledger/price-overrides.ts';

/* The requests and answers about prices that operators set. */

const reason = z
  .string({ error: 'says why' })
  .trim()
  .min(1, 'says why')
  .max(500, 'has at most 500 characters')
  .refine(isStorableText, storableProblem)
  .describe('Why, for the audit.');

/** POST /v1/prices/overrides: the body. The price is one of the format of the price overlay. */
export const setOverrideSchema = z.strictObject({
  price: overlayEntrySchema.describe('As in a price overlay: docs/prices.md explains each field.'),
  reason,
});

/** DELETE /v1/prices/overrides/{id}: the query string. */
export const unsetOverrideSchema = z.strictObject({
  reason,
  entirely: z.enum(['true', 'false'], { error: 'is true or false' }).default('false'),
});

const overrideSchema = z.object({
  id: z.uuid(),
  price: z
    .object({
      provider: z.string(),
      model: z.string(),
      from: z.string().optional(),
      until: z.string().optional(),
    })
    .loose()
    .describe('As it was written.'),
  actor: z.string(),
  reason: z.string(),
  setAt: z.iso.datetime(),
  state: z.enum(['in_force', 'to_come', 'over']),
});

/** The answer of GET /v1/prices/overrides. */
export const overrideListSchema = z.object({ overrides: z.array(overrideSchema) });
/** The answer about one. */
export const priceOverrideSchema = overrideSchema;

export type OverrideDocument = z.output<typeof overrideSchema>;
export type OverrideList = z.output<typeof overrideListSchema>;

/** The override as it is told. */
export function overrideDocument(
  { id, entry, price, actor, reason: why, setAt }: PriceOverride,
  now: Date,
): OverrideDocument {
  const [from, until] = [price.from, price.until].map((text) =>
    text === undefined ? undefined : Date.parse(text),
  );
  let state: OverrideDocument['state'] = 'in_force';
  if (from !== undefined && now.getTime() < from) state = 'to_come';
  if (until !== undefined && now.getTime() >= until) state = 'over';
  return { id, price: { ...entry }, actor, reason: why, setAt: setAt.toISOString(), state };
}
