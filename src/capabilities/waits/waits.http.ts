import type { HttpPart } from '../http-part.ts';
import { completedWaitSchema, waitListSchema } from './wait-documents.ts';
import { completeWaitSchema } from './wait-requests.ts';
import { WaitService } from './wait-service.ts';
import { WaitsController } from './waits.controller.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [WaitsController],
  services: [WaitService],
  answers: { WaitList: waitListSchema, CompletedWait: completedWaitSchema },
  requests: { CompleteWait: completeWaitSchema },
};
