import { BudgetLedger, type BudgetState } from './budget-ledger.ts';
import { formatUsd } from '../../kernel/money.ts';
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
  const { limitUsd, spentUsd, reservedUsd, windowEndsAt, window } = budget;
  return {
    until: windowEndsAt,
    why: `Of ${formatUsd(limitUsd)} USD per ${window}, ${formatUsd(spentUsd)} are spent and ${formatUsd(reservedUsd)} reserved: the next call does not fit.`,
    change: `The end of the ${window}, or a higher limit in the configuration and "millrace budgets apply".`,
  };
}
