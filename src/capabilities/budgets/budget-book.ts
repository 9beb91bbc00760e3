import type { Origin } from '../../messages/origin.ts';

/** A budget as far as it decides whether something may go on. Undefined parts of its scope stand for any. */
export interface BookedBudget {
  readonly name: string;
  readonly team: string | undefined;
  readonly customer: string | undefined;
  readonly feature: string | undefined;
  readonly atLimit: 'park' | 'refuse';
  readonly unpriced: 'refuse' | 'allow';
}

const none: readonly never[] = [];

/** Whether what this origin causes counts in the budget. */
function concerns({ team, customer, feature }: Omit<BookedBudget, 'name'>, origin: Origin): boolean {
  return (
    (team === undefined || team === origin.team) &&
    (customer === undefined || customer === origin.customer) &&
    (feature === undefined || feature === origin.feature)
  );
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

  /** The budgets that what this origin causes has to fit, all at once. */
  concerning(origin: Origin): readonly BookedBudget[] {
    return this.#budgets.length === 0 ? none : this.#budgets.filter((budget) => concerns(budget, origin));
  }
}
