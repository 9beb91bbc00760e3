import { CostsController } from './costs.controller.ts';
import { clockToken } from './clock-token.ts';
import { costReportSchema } from './cost-report-document.ts';
import { AnomaliesController } from './anomalies/anomalies.controller.ts';
import { anomalySchema } from './anomalies/anomaly-document.ts';
import { concentrationSchema } from './concentration/concentration-document.ts';
import { ConcentrationController } from './concentration/concentration.controller.ts';
import { CostReports } from './cost-reports.ts';
import { FocusExports } from './focus/focus-export.ts';
import { FocusController } from './focus/focus.controller.ts';
import {
  reconciliationListSchema,
  reconciliationReportSchema,
  reconciliationSchema,
} from './reconciliation/reconciliation-document.ts';
import { reconciliationRequestSchema } from './reconciliation/reconciliation-requests.ts';
import { ReconciliationService } from './reconciliation/reconciliation-service.ts';
import { ReconciliationsController } from './reconciliation/reconciliations.controller.ts';
import { forecastSchema } from './forecast/forecast-document.ts';
import { ForecastController } from './forecast/forecast.controller.ts';
import { savingsReportSchema } from './savings/savings-document.ts';
import { SavingsController } from './savings/savings.controller.ts';
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
    AnomaliesController,
    ConcentrationController,
    ForecastController,
    SavingsController,
    StatementsController,
    FocusController,
    PeriodsController,
    ReconciliationsController,
  ],
  services: [CostReports, FocusExports, PeriodService, ReconciliationService, clockToken],
  answers: {
    CostReport: costReportSchema,
    CostAnomalies: anomalySchema,
    CostConcentration: concentrationSchema,
    CostForecast: forecastSchema,
    CostSavings: savingsReportSchema,
    Statement: statementSchema,
    ClosedPeriod: closedPeriodSchema,
    PeriodList: periodListSchema,
    Reconciliation: reconciliationSchema,
    ReconciliationList: reconciliationListSchema,
    ReconciliationReport: reconciliationReportSchema,
  },
  requests: {
    ClosePeriodRequest: closePeriodSchema,
    ReopenPeriodRequest: reopenPeriodSchema,
    ReconciliationRequest: reconciliationRequestSchema,
  },
};
