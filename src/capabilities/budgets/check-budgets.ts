import type { StartupCheck } from '../startup-check.ts';
import type { BudgetSetting } from './budget-settings.ts';
import { budgetDefinitions } from './definition-of-setting.ts';
import { switchProblem } from './switch-model.ts';

export interface BudgetSettings {
  readonly budgets: readonly BudgetSetting[];
}

/** Finds budgets of the configuration that switch to a model which nobody can be asked. */
export const checkBudgets: StartupCheck<BudgetSettings, 'budget_switch_unknown'> = ({
  settings,
  ...sources
}) =>
  Promise.resolve(
    budgetDefinitions(settings.budgets).flatMap((budget) => {
      const problem = switchProblem(budget, sources);
      if (problem === undefined) return [];
      const what = `The budget "${budget.name}" switches to another model at its limit, but ${problem.what}.`;
      return [
        { code: 'budget_switch_unknown' as const, severity: 'warning' as const, what, todo: problem.todo },
      ];
    }),
  );
