import { BudgetLedger, type BudgetState } from './budget-ledger.ts';
import { formatUsd } from '../../kernel/money.ts';
import { amountText } from './amount-text.ts';
import { isRolling, windowPhrase } from './budget-window.ts';
import type { StatusPart, WaitExplanation } from '../status-part.ts';

/** What the status says of messages that wait for room in a budget. */
export const budgetStatus: StatusPart = {
  schema: {},
  read: async ({ database }) => {
    const budgets = await new BudgetLedger(database).read();
    return {
      members: {},
      document: {},
      explain: ({ reason, about = '' }) =>
        reason === 'budget'
          ? explanationOf(
              about,
              budgets.find(({ name }) => name === about),
            )
          : undefined,
    };
  },
};

function explanationOf(name: string, budget: BudgetState | undefined): WaitExplanation {
  if (budget === undefined) {
    return { why: `The budget "${name}" holds no longer.`, change: 'They are released within seconds.' };
  }
  const { limit, spent, reserved, unit, windowEndsAt, window } = budget;
  return {
    until: windowEndsAt,
    why: `Of ${amountText(limit, unit)} ${windowPhrase(window)}, ${formatUsd(spent)} are spent and ${formatUsd(reserved)} reserved: the next call does not fit.`,
    change: `${isRolling(window) ? 'Time' : `The end of the ${window}`}, or a higher limit ("millrace budgets limit ${name} …").`,
  };
}
