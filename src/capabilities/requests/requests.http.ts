import type { HttpPart } from '../http-part.ts';
import { submitRequestSchema } from './intake/submit-requests.ts';
import { PipelineRequestsController } from './pipeline-requests.controller.ts';

import { RequestService } from './request-service.ts';
import { RequestsController } from './requests.controller.ts';
import { cancelRequestSchema } from './state/list-requests.ts';
import { requestListSchema, requestSchema } from './state/request-document.ts';
import { maxWaitToken } from './wait-preference.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [PipelineRequestsController, RequestsController],
  services: [RequestService, maxWaitToken],
  answers: { Request: requestSchema, RequestList: requestListSchema },
  requests: { SubmitRequest: submitRequestSchema, CancelRequest: cancelRequestSchema },
};
