import { z } from 'zod';
import { isPrintableName, notPrintable } from '../../../kernel/printable-name.ts';
import { isStorableText, storableProblem } from '../../../kernel/storable-text.ts';
import { overlayEntrySchema } from '../../../pricing/overlay-content.ts';
import {
  overrideState,
  type PriceOverride,
  type UnreadableOverride,
} from '../../../engine/ledger/price-overrides.ts';
import { requiredReason } from '../../../http/change-reason.ts';

/* The requests and answers about prices that operators set. */

// Shown in a column of a table.
const reason = requiredReason.refine(isPrintableName, notPrintable).describe('Why; it stands in the audit.');
const maxNoteLength = 2_000;

/** What a file of one's own may say, and a request may not: it is stored, and shown in tables. */
const price = overlayEntrySchema.superRefine((entry, context) => {
  const fault = (field: string, message: string): void =>
    context.addIssue({ code: 'custom', path: [field], message });
  for (const field of ['provider', 'model', 'tier', 'geography'] as const) {
    if (!isPrintableName(entry[field])) fault(field, notPrintable);
    else if (entry[field] === '__proto__') fault(field, 'is not a name');
  }
  for (const field of ['source', 'note'] as const) {
    const text = entry[field] ?? '';
    if (!isStorableText(text)) fault(field, storableProblem);
    else if (text.length > maxNoteLength) fault(field, `has at most ${maxNoteLength} characters`);
  }
});

/** POST /v1/prices/overrides: the body. The price is one of the format of the price overlay. */
export const setOverrideSchema = z.strictObject({
  price: price.describe('As in a price overlay: docs/prices.md explains each field.'),
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

/** A row that is left out. */
export const unreadableSchema = z.object({
  id: z.uuid(),
  problem: z.string().describe('Why it cannot be read.'),
  text: z.string().describe('The price as it is stored.'),
  actor: z.string(),
  reason: z.string(),
  setAt: z.iso.datetime(),
});

/** The answer of GET /v1/prices/overrides. */
export const overrideListSchema = z.object({
  overrides: z.array(overrideSchema),
  unreadable: z
    .array(unreadableSchema)
    .describe('Prices that cannot be read, or overlap another: they are left out until they are removed.'),
});
/** The answer about one. */
export const priceOverrideSchema = overrideSchema;

export type OverrideDocument = z.output<typeof overrideSchema>;
export type UnreadableDocument = z.output<typeof unreadableSchema>;
export type OverrideList = z.output<typeof overrideListSchema>;

/** The override as it is told. */
export function overrideDocument(
  { id, entry, price: read, actor, reason: why, setAt }: PriceOverride,
  now: Date,
): OverrideDocument {
  const state = overrideState(read, now);
  return { id, price: { ...entry }, actor, reason: why, setAt: setAt.toISOString(), state };
}

/** A row that is left out as it is told. */
export function unreadableDocument({
  id,
  problem,
  text,
  actor,
  reason: why,
  setAt,
}: UnreadableOverride): UnreadableDocument {
  return { id, problem, text, actor, reason: why, setAt: setAt.toISOString() };
}
