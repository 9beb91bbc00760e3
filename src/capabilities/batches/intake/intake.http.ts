import type { HttpPart } from '../../http-part.ts';
import { csvMediaType, jsonLinesMediaType, parquetMediaType } from '../../../http/streamed-bodies.ts';
import { batchDocumentSchema } from '../batch-document.ts';
import { BatchIntake } from './batch-intake.ts';
import { batchEstimateSchema } from './estimate-document.ts';
import { batchUploadSchema, startedBatchSchema } from './intake-documents.ts';
import { createBatchSchema, discardBatchSchema, startBatchSchema } from './intake-requests.ts';
import { BatchIntakeController } from './intake.controller.ts';

const text = (description: string) => ({ type: 'string', minLength: 1, description });

/** One line of JSON Lines, where lines are items. */
const itemSchema: NonNullable<HttpPart['schemas']>[string] = {
  type: 'object',
  description: 'An item of a batch; JSON Lines has one a line.',
  required: ['data'],
  properties: {
    id: text('Names the item in its batch. Default its position, from 1.'),
    data: { description: "The data of its message, as the type's schema wants it." },
    customer: text('On whose behalf, where it is not the customer of the batch.'),
    team: text('Who pays, where it is not the team of the batch; by keys of all teams only.'),
    labels: {
      type: 'object',
      maxProperties: 16,
      additionalProperties: text('A free label, beside those of the batch.'),
    },
  },
  additionalProperties: false,
};

const file = (description: string) => ({ schema: { type: 'string', format: 'binary', description } });

/** The part of the HTTP API by which batches come in. */
export const intakePart: HttpPart = {
  controllers: [BatchIntakeController],
  services: [BatchIntake],
  answers: {
    Batch: batchDocumentSchema,
    BatchUpload: batchUploadSchema,
    BatchEstimate: batchEstimateSchema,
    StartedBatch: startedBatchSchema,
  },
  requests: {
    CreateBatchRequest: createBatchSchema,
    StartBatchRequest: startBatchSchema,
    DiscardBatchRequest: discardBatchSchema,
  },
  schemas: { BatchItem: itemSchema },
  bodies: {
    uploadBatchItems: {
      [jsonLinesMediaType]: { schema: { $ref: '#/components/schemas/BatchItem' } },
      [csvMediaType]: file('CSV with a header (RFC 4180), in UTF-8: one item a row.'),
      [parquetMediaType]: file('Parquet: one item a row.'),
    },
  },
};
