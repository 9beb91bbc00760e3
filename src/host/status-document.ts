import { z } from 'zod';
import { formatUsd } from '../kernel/money.ts';
import { messageStates } from '../engine/ledger/message-state.ts';
import { erasureSchema } from '../capabilities/erasure/erasure-documents.ts';
import { holdListDocument, holdListSchema } from '../capabilities/pauses/hold-documents.ts';
import { waitSchema } from '../capabilities/message-operations/wait-reports.ts';
import type { HostStatus } from './host-status.ts';

/* A host's state as API and command line show it. */

const amount = z.string().regex(/^-?\d+(\.\d+)?$/);
const count = z.int().nonnegative();
const counts = z.object(
  // One field a state; the tuple's type does not survive fromEntries.
  Object.fromEntries(messageStates.map((state) => [state, count])) as Record<
    (typeof messageStates)[number],
    typeof count
  >,
);

export const statusSchema = z.object({
  messages: counts.describe('Messages by state, over all stages.'),
  stages: z.array(
    z.object({
      stage: z.string().describe("Empty for a pipeline's outputs."),
      owner: z.string(),
      messages: counts,
      oldestSeconds: z.number().describe('How long the oldest pending message has been due.'),
    }),
  ),
  calls: z.object({
    calls: count,
    reserved: count,
    succeeded: count,
    unsettled: count,
    failed: count,
    estimated: count,
    unpriced: count,
    settledUsd: amount,
    estimatedUsd: amount,
    estimatedUpperUsd: amount,
    openUpperUsd: amount.describe('What open calls cost at most.'),
  }),
  unexportedRecords: count,
  holds: holdListSchema.shape.holds,
  parked: z.record(z.string(), count).describe('Messages put aside, by the kind of what they wait for.'),
  circuits: z.array(
    z.object({
      provider: z.string(),
      model: z.string(),
      state: z.enum(['closed', 'open', 'half_open']),
      opens: z.int(),
      reason: z.string(),
      changedAt: z.iso.datetime(),
      remainingMs: z.number(),
    }),
  ),
  erasures: z
    .array(erasureSchema)
    .describe('Erasures at work, and those that were given up in the last seven days.'),
  waits: z.array(waitSchema).describe('Why work waits; the reason with the most messages comes first.'),
});

export type StatusDocument = z.output<typeof statusSchema>;

/** The state as a JSON document; amounts are decimal strings. */
export function statusDocument(status: HostStatus): StatusDocument {
  const { messages, stages, calls, unexportedRecords, holds, parked, circuits, erasures, waits } = status;
  const { settledUsd, estimatedUsd, estimatedUpperUsd, openUpperUsd, ...figures } = calls;
  return {
    messages,
    stages: stages.map((stage) => ({ ...stage })),
    calls: {
      ...figures,
      settledUsd: formatUsd(settledUsd),
      estimatedUsd: formatUsd(estimatedUsd),
      estimatedUpperUsd: formatUsd(estimatedUpperUsd),
      openUpperUsd: formatUsd(openUpperUsd),
    },
    unexportedRecords,
    ...holdListDocument(holds),
    parked,
    circuits: circuits.map((circuit) => ({ ...circuit, changedAt: circuit.changedAt.toISOString() })),
    erasures: [...erasures],
    waits: [...waits],
  };
}
