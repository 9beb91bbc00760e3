import { z } from 'zod';
import { amountSchema } from '../../http/document-parts.ts';
import { roomOf } from './budget-room.ts';
import { formatUsd } from '../../kernel/money.ts';
import type { BudgetLedger, BudgetState } from './budget-ledger.ts';
import type { CallerView } from '../../http/api-key-identity.ts';

/* The answer of GET /v1/budgets: every budget that holds, with its present window. */

export const budgetReportSchema = z.object({
  currency: z.literal('USD'),
  budgets: z.array(
    z.object({
      name: z.string(),
      team: z.string().optional().describe('Absent: any.'),
      customer: z.string().optional().describe('Absent: any.'),
      feature: z.string().optional().describe('Absent: any.'),
      window: z
        .enum(['hour', 'day', 'week', 'month'])
        .describe('A calendar window in UTC; weeks begin on Monday.'),
      windowStart: z.iso.datetime(),
      windowEndsAt: z.iso.datetime(),
      limitUsd: amountSchema,
      spentUsd: amountSchema.describe('What settled calls cost, and the upper bounds of unsettled ones.'),
      reservedUsd: amountSchema.describe('The upper bounds of calls under way.'),
      remainingUsd: amountSchema.describe('What may still be reserved; below 0 when the limit was lowered.'),
      atLimit: z.enum(['park', 'refuse']).describe('What happens to new messages when it is used up.'),
      unpriced: z.enum(['refuse', 'allow']).describe('What happens to calls without a known price.'),
      waitingMessages: z.int().describe('Messages that wait for room in it.'),
    }),
  ),
});

export type BudgetReport = z.output<typeof budgetReportSchema>;

/** Budgets as people see them. */
export class BudgetReports {
  readonly #ledger: BudgetLedger;

  constructor(ledger: BudgetLedger) {
    this.#ledger = ledger;
  }

  /** Every budget for a viewer of all teams; for one who is bound to a team, the budgets of that team alone. */
  async report({ team }: CallerView): Promise<BudgetReport> {
    const [states, waiting] = await Promise.all([this.#ledger.read(), this.#ledger.countWaiting()]);
    const visible = team === undefined ? states : states.filter((state) => state.team === team);
    return {
      currency: 'USD',
      budgets: visible.map((state) => budgetOf(state, waiting.get(state.name) ?? 0)),
    };
  }
}

function budgetOf(state: BudgetState, waitingMessages: number): BudgetReport['budgets'][number] {
  const { name, team, customer, feature, window, atLimit, unpriced } = state;
  return {
    name,
    ...(team === undefined ? {} : { team }),
    ...(customer === undefined ? {} : { customer }),
    ...(feature === undefined ? {} : { feature }),
    window,
    windowStart: state.windowStart.toISOString(),
    windowEndsAt: state.windowEndsAt.toISOString(),
    limitUsd: formatUsd(state.limitUsd),
    spentUsd: formatUsd(state.spentUsd),
    reservedUsd: formatUsd(state.reservedUsd),
    remainingUsd: formatUsd(roomOf(state)),
    atLimit,
    unpriced,
    waitingMessages,
  };
}
