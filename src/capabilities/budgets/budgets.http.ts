import type { HttpPart } from '../http-part.ts';
import { budgetDetailSchema, budgetReportSchema, budgetSchema } from './budget-documents.ts';
import { budgetLimitSchema, setBudgetSchema } from './budget-requests.ts';
import { BudgetService } from './budget-service.ts';
import { BudgetsController } from './budgets.controller.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [BudgetsController],
  services: [BudgetService],
  answers: { BudgetReport: budgetReportSchema, Budget: budgetSchema, BudgetDetail: budgetDetailSchema },
  requests: { BudgetRequest: setBudgetSchema, BudgetLimitRequest: budgetLimitSchema },
};
