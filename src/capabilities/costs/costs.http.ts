import { CostsController } from './costs.controller.ts';
import { clockToken } from './clock-token.ts';
import { costReportSchema } from './cost-report-document.ts';
import { CostReports } from './cost-reports.ts';
import type { HttpPart } from '../http-part.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [CostsController],
  services: [CostReports, clockToken],
  answers: { CostReport: costReportSchema },
};
