import { z } from 'zod';
import { isStorableText, storableProblem } from '../../../kernel/storable-text.ts';
import { billProviders } from './bill.ts';
import { dayStates } from './difference.ts';
import type { DaySelection } from './reconciliation-ledger.ts';
import type { ReconciliationRequest } from './reconciliation-service.ts';

/* What is sent to the API, and what commands make of their options. */

const day = z.iso
  .date({ error: 'is a day such as 2026-03-01' })
  .refine((text) => text >= '0001-01-01', 'is a day from 0001-01-01');
const word = z
  .string()
  .min(1, 'is not empty')
  .max(128, 'has at most 128 characters')
  .refine(isStorableText, storableProblem);
const words = z.array(word).max(100, 'has at most 100 entries').default([]);

/** The body of a reconciliation. A field that is not known is a fault. */
export const reconciliationRequestSchema = z.strictObject({
  provider: z.enum(billProviders).describe('Whose bill it is.'),
  files: z
    .array(z.strictObject({ name: word, text: z.string().describe('The exported document, as it is.') }))
    .min(1, 'holds a file at least')
    .max(64, 'holds at most 64 files')
    .describe('Pages of usage and of costs.'),
  from: day.optional().describe('The first day, in UTC; the first of the bill without it.'),
  to: day.optional().describe('The day behind the last one.'),
  accounts: words.describe(
    "Providers of the configuration that the bill is for; the bill's own name without them.",
  ),
  keys: words.describe('Keys, projects or workspaces that only this installation uses; all without them.'),
  settle: z
    .boolean()
    .default(false)
    .describe('Settle unsettled calls of which the bill says exactly what they cost.'),
});

/** The request in a body. */
export function reconciliationOf(body: z.output<typeof reconciliationRequestSchema>): ReconciliationRequest {
  return body;
}

const once = z.string({ error: 'is given once' });

/** The query of the list. */
export const reconciliationQuerySchema = z.strictObject({
  provider: once.pipe(z.enum(billProviders, { error: `is any of ${billProviders.join(', ')}` })).optional(),
  from: day.optional(),
  to: day.optional(),
  state: once.pipe(z.enum(dayStates, { error: `is any of ${dayStates.join(', ')}` })).optional(),
  history: once.pipe(z.enum(['true', 'false'], { error: 'is true or false' })).optional(),
  limit: once
    .regex(/^[1-9]\d{0,2}$/, 'is a whole number from 1 to 999')
    .transform(Number)
    .default(100),
});

/** The days that a query asks for. */
export function selectionOf(query: z.output<typeof reconciliationQuerySchema>): DaySelection {
  const { from = '0001-01-01', to = '9999-12-31', history, ...rest } = query;
  return { ...rest, from, to, history: history === 'true' };
}
