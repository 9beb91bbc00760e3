import { z } from 'zod';
import { billMeters, billProviders } from './bill.ts';
import { differenceCauses, dayStateSchema } from './difference.ts';

/* What the API and --json answer. */

const amount = z.string().describe('US dollars, exact.');

export const differenceSchema = z.object({
  cause: z.enum(differenceCauses).describe('docs/reconciliation.md says by which rule each is decided.'),
  usd: amount.describe('What the bill has more than the ledger; negative where it has less.'),
  requests: z.int().optional().describe('How many requests it is about, where that is known.'),
  callIds: z.array(z.string()).optional().describe('Calls that it is about or can be about; at most 100.'),
});

export const rowSchema = z.object({
  model: z.string(),
  tier: z.string().optional().describe('Absent where the bill does not tell tiers apart.'),
  meter: z.enum(billMeters).describe('The kind of token; "all" where the bill does not tell them apart.'),
  name: z.string().optional().describe("The bill's own word for a kind that is not known."),
  key: z.string().optional().describe('The key that was billed, when it is none of the given ones.'),
  ledgerUsd: amount,
  billUsd: amount,
  tokens: z.object({ ledger: z.number(), bill: z.number() }).optional(),
  isReconciled: z.boolean().describe('Bill and ledger are equal, but for rounding.'),
  differences: z.array(differenceSchema).describe('ledgerUsd and all of these add up to billUsd.'),
});

const sums = {
  ledgerUsd: amount,
  billUsd: amount,
  capturedUsd: amount.describe('What the ledger has, less what is missing in the bill.'),
  missingUsd: amount.describe('What the ledger has and the bill has not (not_billed).'),
  extraUsd: amount.describe('What the bill has for requests that the ledger has no cost of.'),
  changedUsd: amount.describe(
    'What differs for requests that both have. capturedUsd, extraUsd and changedUsd add up to billUsd.',
  ),
  residualUsd: amount.describe('The differences without a cause, each as a positive amount.'),
  differences: z.array(differenceSchema).describe('By cause. ledgerUsd and all of these add up to billUsd.'),
};

const dayFields = {
  id: z.string(),
  provider: z.enum(billProviders),
  day: z.string().describe('In UTC.'),
  state: dayStateSchema.describe(
    'reconciled: equal but for rounding; explained: every difference has a cause; open: some has none.',
  ),
  accounts: z.array(z.string()).describe('The providers of the configuration that were compared.'),
  keys: z.array(z.string()),
  form: z.string(),
  ...sums,
  notices: z.array(z.string()).describe('What of the bill was not understood.'),
  reason: z.enum(['bill', 'ledger']).describe('What it was made for: a bill, or records that came later.'),
  actor: z.string(),
  madeAt: z.string(),
  supersededAt: z.string().optional().describe('When a later one took its place.'),
};

/** A kept day, without its rows. */
export const reconciledDaySchema = z.object(dayFields);

/** A kept day with its rows. */
export const reconciliationSchema = z.object({ ...dayFields, rows: z.array(rowSchema) });

export const reconciliationListSchema = z.object({
  reconciliations: z.array(reconciledDaySchema),
  truncated: z.boolean().describe('There are more.'),
});

export const reconciliationReportSchema = z.object({
  provider: z.enum(billProviders),
  form: z.string(),
  from: z.string(),
  to: z.string().describe('The day behind the last one.'),
  ...sums,
  days: z.array(reconciliationSchema),
  proven: z
    .array(z.object({ callId: z.string(), costUsd: amount, isSettled: z.boolean() }))
    .describe('Unsettled calls of which the bill says exactly what they cost.'),
  notices: z.array(z.string()),
  exportLagSeconds: z
    .number()
    .describe('How old the oldest record is that reports do not have yet: what is younger is not compared.'),
});

export type ReconciliationDocument = z.output<typeof reconciliationSchema>;
export type ReconciliationListDocument = z.output<typeof reconciliationListSchema>;
export type ReconciliationReport = z.output<typeof reconciliationReportSchema>;
export type DifferenceDocument = z.output<typeof differenceSchema>;
export type RowDocument = z.output<typeof rowSchema>;
