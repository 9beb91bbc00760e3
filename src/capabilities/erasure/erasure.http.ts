import { erasureRequestSchema, erasureSchema, requestedErasureSchema } from './erasure-documents.ts';
import { ErasureOffice } from './erasure-office.ts';
import { ErasuresController } from './erasures.controller.ts';
import type { HttpPart } from '../http-part.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [ErasuresController],
  services: [ErasureOffice],
  answers: { Erasure: erasureSchema, RequestedErasure: requestedErasureSchema },
  requests: { ErasureRequest: erasureRequestSchema },
};
