import type { HttpPart } from '../../http-part.ts';
import { BatchReports } from './batch-reports.ts';
import { BatchReportController } from './report.controller.ts';
import { batchReportSchema } from './report-document.ts';

/** What reports contribute to the HTTP API. */
export const reportPart: HttpPart = {
  controllers: [BatchReportController],
  services: [BatchReports],
  answers: { BatchReport: batchReportSchema },
};
