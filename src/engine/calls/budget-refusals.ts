import type { BookedBudget, BudgetBook } from './budget-book.ts';
import { AppError } from '../../kernel/app-error.ts';
import { formatUsd, type Usd } from '../../kernel/money.ts';
import { Parked } from '../parked.ts';
import type { ReserveOutcome } from '../ledger/call-ledger.ts';
import { parkedForBudget } from '../ledger/budget-ledger.ts';
import type { Origin } from '../../messages/origin.ts';
import type { ModelMetrics } from './model-metrics.ts';

/** A call that is about to be reserved, as budgets see it. */
interface BudgetedQuestion {
  readonly origin: Origin;
  /** "provider/model" */
  readonly model: string;
  readonly upperBoundUsd: Usd | undefined;
}

const none: readonly string[] = [];

/**
 * The names of the budgets that a call has to fit. Throws MILLRACE_BUDGET_UNPRICED when one of them does not allow
 * calls whose price is not known.
 */
export function budgetsOfCall(
  book: BudgetBook,
  { origin, model, upperBoundUsd }: BudgetedQuestion,
  metrics: ModelMetrics,
): readonly string[] {
  const concerned = book.concerning(origin);
  if (concerned.length === 0) return none;
  const strict = upperBoundUsd === undefined ? concerned.find(refusesUnpriced) : undefined;
  if (strict === undefined) return concerned.map(({ name }) => name);
  metrics.budgetRefused(strict.name, 'refused');
  throw new AppError(
    'MILLRACE_BUDGET_UNPRICED',
    `No price is known for ${model}, and the budget "${strict.name}" allows no calls without one.`,
  );
}

/** The error of a call that did not fit: it waits for room, unless the whole budget would not be enough. */
export function overBudget(
  { budget, limitUsd, windowEndsAt }: ReserveOutcome & { readonly kind: 'over_budget' },
  upperBoundUsd: Usd | undefined,
  metrics: ModelMetrics,
): AppError {
  if (upperBoundUsd !== undefined && upperBoundUsd.greaterThan(limitUsd)) {
    metrics.budgetRefused(budget, 'refused');
    return new AppError(
      'MILLRACE_BUDGET_CALL_TOO_LARGE',
      `The call may cost up to ${formatUsd(upperBoundUsd)} USD, and the budget "${budget}" is ${formatUsd(limitUsd)} USD in all.`,
    );
  }
  metrics.budgetRefused(budget, 'parked');
  return new Parked(
    `The budget "${budget}" of ${formatUsd(limitUsd)} USD has no room for this call; its window ends at ${windowEndsAt.toISOString()}.`,
    { reason: 'budget', parkedFor: parkedForBudget(budget) },
  );
}

function refusesUnpriced({ unpriced }: BookedBudget): boolean {
  return unpriced === 'refuse';
}
