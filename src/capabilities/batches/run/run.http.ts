import type { HttpPart } from '../../http-part.ts';
import { batchDocumentSchema } from '../batch-document.ts';
import { BatchFiles } from './batch-files.ts';
import { BatchOperationsController } from './batch-operations.controller.ts';
import { BatchService } from './batch-service.ts';
import { BatchesController } from './batches.controller.ts';
import { batchChunksSchema, batchItemsSchema, batchListSchema, batchRetrySchema } from './run-documents.ts';
import { batchOrderSchema, changeBatchSchema } from './run-requests.ts';

/** The part of the HTTP API by which batches are watched and steered. */
export const runPart: HttpPart = {
  controllers: [BatchesController, BatchOperationsController],
  services: [BatchService, BatchFiles],
  answers: {
    Batch: batchDocumentSchema,
    BatchList: batchListSchema,
    BatchChunks: batchChunksSchema,
    BatchItems: batchItemsSchema,
    BatchRetry: batchRetrySchema,
  },
  requests: { BatchOrderRequest: batchOrderSchema, BatchChangeRequest: changeBatchSchema },
};
