import type { MissedQuota, QuotaQuestion, QuotaSource } from '../../engine/calls/quota-source.ts';
import { Parked } from '../../engine/parked.ts';
import { AppError } from '../../kernel/app-error.ts';
import { formatUsd } from '../../kernel/money.ts';
import type { BookedBudget, BudgetBook } from './budget-book.ts';
import { budgetErrors } from './budget-errors.ts';
import { parkedForBudget } from './budget-ledger.ts';
import type { BudgetMetrics } from './budget-metrics.ts';

interface BudgetQuotasOptions {
  /** The budgets that hold. */
  readonly book: BudgetBook;
  /** Counts every call that did not fit: it waits, or will never be made. */
  readonly metrics: BudgetMetrics;
}

const none: readonly string[] = [];

/** Budgets as the engine meets them at calls: each is a quota of its name. */
export class BudgetQuotas implements QuotaSource {
  readonly #options: BudgetQuotasOptions;

  constructor(options: BudgetQuotasOptions) {
    this.#options = options;
  }

  /** Throws MILLRACE_BUDGET_UNPRICED when a budget that concerns the call does not allow calls whose price is not known. */
  readonly concerning = ({ origin, model, upperBoundUsd }: QuotaQuestion): readonly string[] => {
    const { book, metrics } = this.#options;
    const concerned = book.concerning(origin);
    if (concerned.length === 0) return none;
    const strict = upperBoundUsd === undefined ? concerned.find(refusesUnpriced) : undefined;
    if (strict === undefined) return concerned.map(({ name }) => name);
    metrics.increment('budget_refusals_total', { budget: strict.name, action: 'refused' });
    throw new AppError(
      budgetErrors.MILLRACE_BUDGET_UNPRICED,
      `No price is known for ${model}, and the budget "${strict.name}" allows no calls without one.`,
    );
  };

  /** The call waits for room, unless the whole budget would not be enough: then MILLRACE_BUDGET_CALL_TOO_LARGE. */
  readonly refusal = (
    { upperBoundUsd }: QuotaQuestion,
    { quota: budget, limitUsd, windowEndsAt }: MissedQuota,
  ): AppError => {
    const isTooLarge = upperBoundUsd !== undefined && upperBoundUsd.greaterThan(limitUsd);
    const action = isTooLarge ? 'refused' : 'parked';
    this.#options.metrics.increment('budget_refusals_total', { budget, action });
    return isTooLarge
      ? new AppError(
          budgetErrors.MILLRACE_BUDGET_CALL_TOO_LARGE,
          `The call may cost up to ${formatUsd(upperBoundUsd)} USD, and the budget "${budget}" is ${formatUsd(limitUsd)} USD in all.`,
        )
      : new Parked(
          `The budget "${budget}" of ${formatUsd(limitUsd)} USD has no room for this call; its window ends at ${windowEndsAt.toISOString()}.`,
          { reason: 'budget', parkedFor: parkedForBudget(budget) },
        );
  };
}

function refusesUnpriced({ unpriced }: BookedBudget): boolean {
  return unpriced === 'refuse';
}
