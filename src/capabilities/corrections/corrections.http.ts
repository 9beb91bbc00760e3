import { CallsController } from './calls.controller.ts';
import { CorrectionService } from './correction-service.ts';
import { correctionReportSchema, correctionRequestSchema } from './correction-requests.ts';
import type { HttpPart } from '../http-part.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [CallsController],
  services: [CorrectionService],
  answers: { CorrectionReport: correctionReportSchema },
  requests: { CorrectionRequest: correctionRequestSchema },
};
