import { z } from 'zod';
import { BatchEstimates } from '../../src/capabilities/batches/intake/batch-estimates.ts';
import { BatchIntake } from '../../src/capabilities/batches/intake/batch-intake.ts';
import { BatchUploads } from '../../src/capabilities/batches/intake/batch-uploads.ts';
import type { BatchInput, InputBounds } from '../../src/capabilities/batches/intake/input/input-records.ts';
import { IntakeLedger } from '../../src/capabilities/batches/intake/intake-ledger.ts';
import {
  type CreateBatchRequest,
  createBatchSchema,
  uploadQuerySchema,
} from '../../src/capabilities/batches/intake/intake-requests.ts';
import { itemTypeOf, modelsOfPipeline } from '../../src/capabilities/batches/intake/pipeline-types.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { checkMessageData } from '../../src/engine/pipeline/admissions.ts';
import { defineStage } from '../../src/engine/pipeline/stage-definition.ts';
import { StageRegistry } from '../../src/engine/pipeline/stage-registry.ts';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import { packagedPriceBook } from '../../src/pricing/packaged-price-book.ts';
import { inPieces } from './input-pieces.ts';

/* Batches that come in, for tests: a pipeline of two stages that takes in tickets. */

const Ticket = defineMessage('ticket.opened').version(
  1,
  z.strictObject({ subject: z.string().min(1), urgent: z.boolean().optional() }),
);
const Sorted = defineMessage('ticket.sorted').version(1, z.object({ subject: z.string() }));

/** The stages of the pipeline "support". */
export const supportStages = [
  defineStage('triage', {
    consumes: Ticket.v1,
    emits: [Sorted.v1],
    pipeline: 'support',
    models: ['openai/gpt-5-mini'],
  }),
  defineStage('answer', { consumes: Sorted.v1, pipeline: 'support', models: ['openai/gpt-5-mini'] }),
];

export const intakeBounds: InputBounds = {
  maxItems: 5000,
  uploadBytes: 10_000_000,
  decodedBytes: 10_000_000,
  rowGroupBytes: 10_000_000,
  maxDataBytes: 2000,
  maxDepth: 16,
};

/** The intake over a ledger. */
export function intakeOver(
  database: SqlDatabase,
  {
    bounds = {},
    clock = systemClock,
  }: { readonly bounds?: Partial<InputBounds>; readonly clock?: Clock } = {},
): BatchIntake {
  const registry = new StageRegistry();
  const handler = { handle: () => Promise.resolve() };
  registry.register(supportStages.map((definition) => ({ definition, handler })));
  const ledger = new IntakeLedger(database);
  return new BatchIntake({
    ledger,
    uploads: new BatchUploads({
      ledger,
      checkData: (sent) => checkMessageData(registry, sent, intakeBounds.maxDepth),
      bounds: { ...intakeBounds, ...bounds },
      clock,
    }),
    estimates: new BatchEstimates({
      database,
      modelsOf: (pipeline) => modelsOfPipeline(registry, pipeline),
      pricer: packagedPriceBook(),
      priceProviderOf: (provider) => provider,
      clock,
    }),
    itemTypeOf: (asked) => itemTypeOf(registry, asked),
    clock,
  });
}

/** A request for a batch of the team "blue". */
export function batchRequest(name: string, more: Readonly<Record<string, unknown>> = {}): CreateBatchRequest {
  return createBatchSchema.parse({
    name,
    team: 'blue',
    customer: 'acme',
    feature: 'search',
    pipeline: 'support',
    ...more,
  });
}

/** JSON Lines as an upload. */
export function lines(
  content: string | Uint8Array | readonly unknown[],
  query: Readonly<Record<string, unknown>> = {},
  size = 1000,
): BatchInput {
  const text = Array.isArray(content) ? content.map((line) => `${JSON.stringify(line)}\n`).join('') : content;
  return {
    format: 'jsonl',
    encoding: 'identity',
    query: uploadQuerySchema.parse(query),
    bytes: inPieces(text as string | Uint8Array, size),
  };
}

/** So many tickets, as items of JSON Lines. */
export function tickets(count: number): readonly unknown[] {
  return Array.from({ length: count }, (_, at) => ({
    id: `t-${at + 1}`,
    data: { subject: `subject ${at + 1}` },
  }));
}
