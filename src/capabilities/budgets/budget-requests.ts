import { z } from 'zod';
import { budgetFields, budgetName, fieldsFit, limitTokens, limitUsd } from './budget-settings.ts';
import { requiredReason } from '../../http/change-reason.ts';

/* What may be asked for about budgets, by request or on the command line. */

/** The name of a budget in a path. */
export const budgetNameSchema = z.strictObject({ name: budgetName });

/** PUT /v1/budgets/{name}: the body. */
export const setBudgetSchema = z
  .strictObject({ ...budgetFields, reason: requiredReason })
  .superRefine(fieldsFit);

/** PUT /v1/budgets/{name}/limit: the body. */
export const budgetLimitSchema = z
  .strictObject({
    limitUsd: limitUsd.optional(),
    limitTokens: limitTokens.optional(),
    reason: requiredReason,
  })
  .refine(
    (body) => (body.limitUsd === undefined) !== (body.limitTokens === undefined),
    'names limitUsd or limitTokens, as the budget counts',
  );

/** DELETE /v1/budgets/{name} and its limit: the query string. */
export const budgetReasonSchema = z.strictObject({ reason: requiredReason });

export type SetBudgetOrder = z.output<typeof setBudgetSchema>;
export type BudgetLimitOrder = z.output<typeof budgetLimitSchema>;
