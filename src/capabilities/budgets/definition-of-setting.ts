import { readAmount } from '../../kernel/money.ts';
import type { BudgetDefinition } from './budget-definition.ts';
import type { BudgetSetting } from './budget-settings.ts';

/** A budget of a configuration or a request, as the ledger has it. */
export function definitionOf(budget: BudgetSetting): BudgetDefinition {
  const { name, team, customer, feature, batch, pipeline, model, window, timeZone, alertAt } = budget;
  const { limitUsd, limitTokens, atLimit, unpriced } = budget;
  const isHardLimitInUsd = limitUsd !== undefined && atLimit !== 'alert';
  return {
    name,
    team,
    customer,
    feature,
    batch,
    pipeline,
    model,
    window,
    timeZone,
    unit: limitUsd === undefined ? 'tokens' : 'usd',
    limit: readAmount(limitUsd ?? limitTokens ?? '0'),
    atLimit: typeof atLimit === 'object' ? 'switch' : atLimit,
    switchTo: typeof atLimit === 'object' ? atLimit.switchTo : undefined,
    // Without a price nobody can say whether it fits; where nothing has to fit, or tokens have, it may pass.
    unpriced: unpriced ?? (isHardLimitInUsd ? 'refuse' : 'allow'),
    alertAt,
  };
}

/** The budgets of a configuration, as the ledger has them. */
export function budgetDefinitions(budgets: readonly BudgetSetting[]): readonly BudgetDefinition[] {
  return budgets.map((budget) => definitionOf(budget));
}
