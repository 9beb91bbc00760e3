import type { HttpPart } from '../../http-part.ts';
import {
  providerBatchListSchema,
  providerBatchSchema,
  resolveRequestSchema,
} from './provider-batch-documents.ts';
import { ProviderBatchesController } from './provider-batches.controller.ts';
import { ProviderBatchOperations } from './provider-batch-operations.ts';

/** What the modes have of the HTTP API. */
export const modePart: HttpPart = {
  controllers: [ProviderBatchesController],
  services: [ProviderBatchOperations],
  answers: { ProviderBatch: providerBatchSchema, ProviderBatchList: providerBatchListSchema },
  requests: { ProviderBatchResolution: resolveRequestSchema },
};
