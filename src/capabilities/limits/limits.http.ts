import type { HttpPart } from '../http-part.ts';
import { modelLimitDocumentSchema, modelLimitListSchema } from './limit-documents.ts';
import { setLimitSchema } from './limit-requests.ts';
import { LimitService } from './limit-service.ts';
import { LimitsController } from './limits.controller.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [LimitsController],
  services: [LimitService],
  answers: { ModelLimitList: modelLimitListSchema, ModelLimit: modelLimitDocumentSchema },
  requests: { ModelLimitRequest: setLimitSchema },
};
