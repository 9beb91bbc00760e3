import {
  deadLetterListSchema,
  deadLetterSchema,
  discardResultSchema,
  replayResultSchema,
} from './dead-letter-documents.ts';
import { DeadLetterService } from './dead-letter-service.ts';
import { discardRequestSchema, replayRequestSchema } from './dead-letter-requests.ts';
import { DeadLettersController } from './dead-letters.controller.ts';
import type { HttpPart } from '../http-part.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [DeadLettersController],
  services: [DeadLetterService],
  answers: {
    DeadLetterList: deadLetterListSchema,
    DeadLetter: deadLetterSchema,
    DeadLetterReplayResult: replayResultSchema,
    DeadLetterDiscardResult: discardResultSchema,
  },
  requests: {
    DeadLetterReplayRequest: replayRequestSchema,
    DeadLetterDiscardRequest: discardRequestSchema,
  },
};
