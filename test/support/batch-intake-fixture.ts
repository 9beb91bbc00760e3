import { z } from 'zod';
import type { BatchIntake } from '../../src/capabilities/batches/intake/batch-intake.ts';
import type { BatchInput } from '../../src/capabilities/batches/intake/input/input-records.ts';
import {
  type CreateBatchRequest,
  createBatchSchema,
  uploadQuerySchema,
} from '../../src/capabilities/batches/intake/intake-requests.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { defineStage } from '../../src/engine/pipeline/stage-definition.ts';
import { type RegisteredStage, StageRegistry } from '../../src/engine/pipeline/stage-registry.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import { batchIntakeOver, type IntakeOptions } from './batch-services.ts';
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

const registry = new StageRegistry();
const handler = { handle: () => undefined };
registry.register(
  supportStages.map((definition) => ({ definition, handler })) as unknown as readonly RegisteredStage[],
);

/** The intake of this pipeline over a ledger. */
export function intakeOver(database: SqlDatabase, options: IntakeOptions = {}): BatchIntake {
  return batchIntakeOver(database, registry, options);
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
