import { z } from 'zod';
import { formatUsd } from '../kernel/money.ts';
import { wasteReasons } from '../engine/ledger/settlement.ts';
import { messageStates } from '../engine/ledger/message-state.ts';
import type { StatusPart } from '../capabilities/status-part.ts';
import { amountSchema } from '../http/document-parts.ts';
import {
  type HostStatusSources,
  type PartsDocument,
  readStatusByParts,
  type StatusByParts,
} from './host-status.ts';
import { waitSchema } from './wait-reports.ts';

/* A host's state as API and command line show it. */

const count = z.int().nonnegative();
const counts = z.object(
  // One field a state; the tuple's type does not survive fromEntries.
  Object.fromEntries(messageStates.map((state) => [state, count])) as Record<
    (typeof messageStates)[number],
    typeof count
  >,
);

const engineShape = {
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
    calls: count.describe(
      'Reserved, unsettled, succeeded and failed ones, those that have left the ledger among them.',
    ),
    reserved: count,
    succeeded: count,
    unsettled: count,
    failed: count,
    estimated: count,
    unpriced: count.describe(
      'As unpricedCalls of GET /v1/costs: without a known price, also while their outcome is unknown.',
    ),
    settledUsd: amountSchema,
    estimatedUsd: amountSchema,
    estimatedUpperUsd: amountSchema,
    openUpperUsd: amountSchema.describe('What open calls cost at most.'),
  }),
  lastHour: z.object({
    wasted: z
      .array(
        z.object({
          reason: z.enum(wasteReasons),
          calls: count,
          costUsd: amountSchema,
          openUpperUsd: amountSchema.describe('What those without a known cost can have cost at most.'),
        }),
      )
      .describe('Calls whose cost bought nothing, by why; the most expensive reason comes first.'),
    failing: z
      .array(z.object({ provider: z.string(), model: z.string(), errorType: z.string(), calls: count }))
      .describe('Calls that failed, by model and kind, at most 20; the most frequent come first.'),
  }),
  unexportedRecords: count,
  parked: z.record(z.string(), count).describe('Messages put aside, by the kind of what they wait for.'),
  waits: z.array(waitSchema).describe('Why work waits; the reason with the most messages comes first.'),
};

const engineSchema = z.object(engineShape);

/** The schema of the document with the parts of capabilities. */
export function statusSchemaOf(shapes: readonly StatusPart['schema'][]): z.ZodObject {
  const { waits, ...figures } = engineShape;
  return z.object(Object.assign({}, figures, ...shapes, { waits }) as z.ZodRawShape);
}

export type StatusDocument = z.output<typeof engineSchema> & PartsDocument;

/** The state as a JSON document; amounts are decimal strings. */
export async function readStatusDocument(sources: HostStatusSources): Promise<StatusDocument> {
  return statusDocument(await readStatusByParts(sources));
}

/** The same of a state that was read. */
export function statusDocument({ engine, parts }: StatusByParts): StatusDocument {
  const { messages, stages, calls, lastHour, unexportedRecords, parked, waits } = engine;
  const { settledUsd, estimatedUsd, estimatedUpperUsd, openUpperUsd, ...figures } = calls;
  return Object.assign(
    {
      messages,
      stages: stages.map((stage) => ({ ...stage })),
      calls: {
        ...figures,
        settledUsd: formatUsd(settledUsd),
        estimatedUsd: formatUsd(estimatedUsd),
        estimatedUpperUsd: formatUsd(estimatedUpperUsd),
        openUpperUsd: formatUsd(openUpperUsd),
      },
      lastHour: {
        wasted: lastHour.wasted.map(({ costUsd, openUpperUsd: upperUsd, ...waste }) => ({
          ...waste,
          costUsd: formatUsd(costUsd),
          openUpperUsd: formatUsd(upperUsd),
        })),
        failing: lastHour.failing.map((failing) => ({ ...failing })),
      },
      unexportedRecords,
      parked,
    },
    ...parts.map(({ document }) => document),
    { waits: [...waits] },
  ) as StatusDocument;
}
