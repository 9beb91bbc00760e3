import { AppError } from '../../kernel/app-error.ts';
import { newId } from '../../kernel/ids.ts';
import type { BudgetChange } from './budget-definition.ts';
import { BudgetLedger } from './budget-ledger.ts';
import { budgetDefinitions } from './definition-of-setting.ts';
import type { Installation } from '../../terminal/installation.ts';
import type { BudgetSetting } from './budget-settings.ts';

/** What it reads of the configuration. */
export interface BudgetSettings {
  readonly budgets: readonly BudgetSetting[];
}

/** How the budgets of a configuration are made those that hold. */
export interface BudgetOrder {
  /** Who and why, for the audit; absent: nothing is changed. */
  readonly operation: { readonly actor: string; readonly reason: string } | undefined;
  /** Whether budgets that the configuration does not name may go. */
  readonly mayRemove: boolean;
}

/**
 * Makes the budgets of the configuration those that hold, for every process that runs. Answers what that changes. Throws
 * MILLRACE_REQUEST_INVALID when budgets would go that may not, and what opening the ledger throws.
 */
export function applyBudgets(
  { settings, withLedger }: Installation<BudgetSettings>,
  { operation, mayRemove }: BudgetOrder,
): Promise<readonly BudgetChange[]> {
  return withLedger(({ database, clock }) =>
    new BudgetLedger(database).change(budgetDefinitions(settings.budgets), (changes) => {
      if (operation === undefined) return undefined;
      const removed = changes.flatMap(({ budget, change }) => (change === 'removed' ? [budget] : []));
      if (removed.length > 0 && !mayRemove) {
        throw new AppError(
          'MILLRACE_REQUEST_INVALID',
          `The configuration does not name ${removed.join(', ')}. Nothing was changed: is it the right file? With --remove they go.`,
        );
      }
      return { id: newId(clock.now()), ...operation };
    }),
  );
}
