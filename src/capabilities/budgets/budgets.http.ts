import { budgetReportSchema, BudgetReports } from './budget-reports.ts';
import { BudgetsController } from './budgets.controller.ts';
import type { HttpPart } from '../http-part.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [BudgetsController],
  services: [BudgetReports],
  answers: { BudgetReport: budgetReportSchema },
};
