import { pauseListSchema, resumedPauseSchema, placedPauseSchema } from './pause-documents.ts';
import { PauseService } from './pause-service.ts';
import { placePauseSchema } from './pause-requests.ts';
import { PausesController } from './pauses.controller.ts';
import type { HttpPart } from '../http-part.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [PausesController],
  services: [PauseService],
  answers: { PauseList: pauseListSchema, PlacedPause: placedPauseSchema, ResumedPause: resumedPauseSchema },
  requests: { PauseRequest: placePauseSchema },
};
