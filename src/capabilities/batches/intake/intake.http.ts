import type { HttpPart } from '../../http-part.ts';
import { csvMediaType, jsonLinesMediaType, parquetMediaType } from '../../../http/streamed-bodies.ts';
import { batchDocumentSchema } from '../batch-document.ts';
import { BatchIntake } from './batch-intake.ts';
import { batchEstimateSchema } from './estimate-document.ts';
import { batchUploadSchema, startedBatchSchema } from './intake-documents.ts';
import { createBatchSchema, discardBatchSchema, startBatchSchema } from './intake-requests.ts';
import { BatchIntakeController } from './intake.controller.ts';

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
  bodies: {
    uploadBatchItems: {
      [jsonLinesMediaType]: file('JSON Lines: one item a line.'),
      [csvMediaType]: file('CSV with a header (RFC 4180), in UTF-8: one item a row.'),
      [parquetMediaType]: file('Parquet: one item a row.'),
    },
  },
};
