import type { Installation } from '../../terminal/installation.ts';
import { BudgetLedger } from './budget-ledger.ts';
import { BudgetOperations } from './budget-operations.ts';
import { BudgetService } from './budget-service.ts';

/** Budgets in an operator's command, which needs no store but the ledger. Throws what opening it throws. */
export function withBudgetService<Result>(
  { withLedger }: Pick<Installation<unknown>, 'withLedger'>,
  work: (service: BudgetService) => Promise<Result>,
): Promise<Result> {
  return withLedger((access) =>
    work(
      new BudgetService({
        ledger: new BudgetLedger(access.database),
        operations: new BudgetOperations(access),
      }),
    ),
  );
}
