import { erasureRequestSchema, erasureSchema, requestedErasureSchema } from './erasure-documents.ts';
import { ErasureService } from './erasure-service.ts';
import { ErasuresController } from './erasures.controller.ts';
import type { HttpPart } from '../http-part.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [ErasuresController],
  services: [ErasureService],
  answers: { Erasure: erasureSchema, RequestedErasure: requestedErasureSchema },
  requests: { ErasureRequest: erasureRequestSchema },
};
