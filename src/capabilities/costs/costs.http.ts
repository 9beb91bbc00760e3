import { CostsController } from './costs.controller.ts';
import { clockToken } from './clock-token.ts';
import { costReportSchema } from './cost-report-document.ts';
import { CostReports } from './cost-reports.ts';
import { FocusExports } from './focus/focus-export.ts';
import { FocusController } from './focus/focus.controller.ts';
import { forecastSchema } from './forecast/forecast-document.ts';
import { ForecastController } from './forecast/forecast.controller.ts';
import { statementSchema } from './statements/statement-document.ts';
import { StatementsController } from './statements/statements.controller.ts';
import {
  closedPeriodSchema,
  closePeriodSchema,
  periodListSchema,
  reopenPeriodSchema,
} from './periods/period-document.ts';
import { PeriodService } from './periods/period-service.ts';
import { PeriodsController } from './periods/periods.controller.ts';
import type { HttpPart } from '../http-part.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [
    CostsController,
    ForecastController,
    StatementsController,
    FocusController,
    PeriodsController,
  ],
  services: [CostReports, FocusExports, PeriodService, clockToken],
  answers: {
    CostReport: costReportSchema,
    CostForecast: forecastSchema,
    Statement: statementSchema,
    ClosedPeriod: closedPeriodSchema,
    PeriodList: periodListSchema,
  },
  requests: { ClosePeriodRequest: closePeriodSchema, ReopenPeriodRequest: reopenPeriodSchema },
};
