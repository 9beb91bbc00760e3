import { BudgetBook } from '../../src/capabilities/budgets/budget-book.ts';
import { BudgetQuotas } from '../../src/capabilities/budgets/budget-quotas.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { newId } from '../../src/kernel/ids.ts';
import { readAmount, usd } from '../../src/kernel/money.ts';
import type { BudgetDefinition } from '../../src/capabilities/budgets/budget-definition.ts';
import type { BudgetLedger, BudgetState } from '../../src/capabilities/budgets/budget-ledger.ts';
import type { CallLedger, SettledCall, ReserveOutcome } from '../../src/engine/ledger/call-ledger.ts';
import type { MillraceMetrics } from '../../src/host/metric-catalogue.ts';
import { someReservation, someSettlement } from './ledger-fixture.ts';

/** A budget as the tests define it; parts may be given. */
export function someBudget(
  parts: Partial<Omit<BudgetDefinition, 'limit' | 'unit'>> & {
    readonly limitUsd?: string;
    readonly limitTokens?: string;
  } = {},
): BudgetDefinition {
  const { limitUsd = '1', limitTokens, ...rest } = parts;
  return {
    name: 'search',
    team: 'blue',
    customer: undefined,
    feature: undefined,
    batch: undefined,
    pipeline: undefined,
    model: undefined,
    window: 'month',
    timeZone: 'UTC',
    atLimit: 'park',
    switchTo: undefined,
    unpriced: 'refuse',
    alertAt: [],
    ...rest,
    unit: limitTokens === undefined ? 'usd' : 'tokens',
    limit: readAmount(limitTokens ?? limitUsd),
  };
}

/** What calls have to fit under these budgets. */
export function quotasOf(definitions: readonly BudgetDefinition[], metrics: MillraceMetrics): BudgetQuotas {
  return new BudgetQuotas({ book: new BudgetBook(definitions), metrics });
}

/** The present window of a budget. */
export async function stateOf(budgets: BudgetLedger, name = 'search'): Promise<BudgetState> {
  const state = (await budgets.read()).find((one) => one.name === name);
  if (state === undefined) throw new Error(`there is no budget "${name}"`);
  return state;
}

/** A call outside a stage that needs so much of the quotas of these budgets. */
export async function reserveOf(
  calls: CallLedger,
  boundUsd: string | undefined,
  quotas: readonly string[] = ['search'],
  upperBoundTokens = 0,
): Promise<{ readonly id: string; readonly outcome: ReserveOutcome }> {
  const id = newId(new Date());
  const origin = { team: 'blue', customer: 'acme', feature: 'search' };
  const upperBoundUsd = boundUsd === undefined ? undefined : usd(boundUsd);
  const outcome = await calls.reserve(
    someReservation({ id, message: undefined, origin, quotas, upperBoundUsd, upperBoundTokens }),
  );
  return { id, outcome };
}

/** The settlement of a call under a budget. */
export function settledFor(id: string, costUsd: string, parts: Partial<SettledCall> = {}): SettledCall {
  return someSettlement({ id, costUsd: usd(costUsd), hasQuotas: true, ...parts });
}

/** The settlement of a call under a budget whose outcome nobody knows. */
export function unsettledFor(id: string, boundUsd: string): SettledCall {
  return someSettlement({
    id,
    state: 'unsettled',
    outcome: 'unsettled',
    settlement: 'unsettled',
    costUsd: undefined,
    upperBoundUsd: usd(boundUsd),
    hasQuotas: true,
  });
}

/**
 * Time goes on by so much, as far as budgets see it: every window and slice began that much earlier. Without an interval every present
 * calendar window becomes the one before.
 */
export async function turnWindows(database: SqlDatabase, interval = '100 days'): Promise<void> {
  await database.execute(`
    update millrace.quota_windows set window_start = window_start - interval '${interval}';
    update millrace.quota_alerts set window_start = window_start - interval '${interval}';
    update millrace.calls set quotas = (
      select json_agg(json_build_object('quota', b.quota, 'window_start', b.window_start - interval '${interval}', 'unit', b.unit))
      from millrace.windows_of_call(quotas) as b)
    where quotas is not null`);
}
