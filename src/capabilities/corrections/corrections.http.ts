import { CallsController } from './calls.controller.ts';
import { CorrectionOffice } from './correction-office.ts';
import { correctionReportSchema, correctionRequestSchema } from './correction-requests.ts';
import type { HttpPart } from '../http-part.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [CallsController],
  services: [CorrectionOffice],
  answers: { CorrectionReport: correctionReportSchema },
  requests: { CorrectionRequest: correctionRequestSchema },
};
