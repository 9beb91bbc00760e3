import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { formatUsd } from '../../kernel/money.ts';
import type { WaitExplanation, WaitExplanations } from '../wait-explanation.ts';
import { BudgetLedger, type BudgetState } from './budget-ledger.ts';

/** Why messages wait for budgets, as of now. */
export async function explainBudgetWaits(database: SqlDatabase): Promise<WaitExplanations> {
  const states = new Map((await new BudgetLedger(database).read()).map((state) => [state.name, state]));
  return { budget: (name) => explanationOf(name, states.get(name)) };
}

function explanationOf(name: string, state: BudgetState | undefined): WaitExplanation {
  if (state === undefined) {
    return { why: `The budget "${name}" holds no longer.`, change: 'They are released within seconds.' };
  }
  const { limitUsd, spentUsd, reservedUsd, windowEndsAt, window } = state;
  return {
    until: windowEndsAt,
    why: `Of ${formatUsd(limitUsd)} USD a ${window}, ${formatUsd(spentUsd)} are spent and ${formatUsd(reservedUsd)} reserved: the next call does not fit.`,
    change: `The end of the ${window}, or a higher limit in the configuration and "millrace budgets apply".`,
  };
}
