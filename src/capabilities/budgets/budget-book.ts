import { type BudgetScope, type BudgetSubject, isInScope } from './budget-scope.ts';
import type { BudgetDefinition } from './budget-definition.ts';

/** A budget as far as it decides whether something may go on. */
export interface BookedBudget
  extends
    BudgetScope,
    Pick<BudgetDefinition, 'name' | 'unit' | 'window' | 'atLimit' | 'switchTo' | 'unpriced'> {}

const none: readonly never[] = [];

/**
 * Whether what the subject causes counts in the budget. Calls of the model that a budget switches to are outside of it: else there
 * would be no room for them, either.
 */
function concerns(budget: BookedBudget, subject: BudgetSubject): boolean {
  return isInScope(budget, subject) && (budget.switchTo === undefined || budget.switchTo !== subject.model);
}

/** The budgets that hold at present, as this process knows them. */
export class BudgetBook {
  #budgets: readonly BookedBudget[] = none;

  constructor(budgets: readonly BookedBudget[] = none) {
    this.#budgets = budgets;
  }

  replace(budgets: readonly BookedBudget[]): void {
    this.#budgets = budgets;
  }

  find(name: string): BookedBudget | undefined {
    return this.#budgets.find((budget) => budget.name === name);
  }

  /** The budgets that what the subject causes has to fit, all at once. */
  concerning(subject: BudgetSubject): readonly BookedBudget[] {
    return this.#budgets.length === 0 ? none : this.#budgets.filter((budget) => concerns(budget, subject));
  }
}
