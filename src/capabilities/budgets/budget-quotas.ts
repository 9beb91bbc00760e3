import type { MissedQuota, QuotaQuestion, QuotaSource } from '../../engine/calls/quota-source.ts';
import { Parked } from '../../engine/parked.ts';
import { AppError } from '../../kernel/app-error.ts';
import { type Amount, readAmount } from '../../kernel/money.ts';
import { amountText } from './amount-text.ts';
import type { BookedBudget, BudgetBook } from './budget-book.ts';
import type { BudgetUnit } from './budget-definition.ts';
import { budgetErrors } from './budget-errors.ts';
import { parkedForBudget } from './budget-ledger.ts';
import type { BudgetMetrics } from './budget-metrics.ts';
import { isRolling } from './budget-window.ts';

interface BudgetQuotasOptions {
  /** The budgets that hold. */
  readonly book: BudgetBook;
  /** Counts every call that did not fit: it waits, goes to another model, or will never be made. */
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
  readonly concerning = (question: QuotaQuestion): readonly string[] => {
    const { book, metrics } = this.#options;
    const concerned = book.concerning(question);
    if (concerned.length === 0) return none;
    const strict = question.upperBoundUsd === undefined ? concerned.find(refusesUnpriced) : undefined;
    if (strict === undefined) return concerned.map(({ name }) => name);
    metrics.increment('budget_refusals_total', { budget: strict.name, action: 'refused' });
    throw new AppError(
      budgetErrors.MILLRACE_BUDGET_UNPRICED,
      `No price is known for ${question.model}, and the budget "${strict.name}" allows no calls without one.`,
    );
  };

  /**
   * Another model is asked where the budget switches; else the call waits for room, unless the whole budget would not be enough:
   * then MILLRACE_BUDGET_CALL_TOO_LARGE.
   */
  readonly refusal = (question: QuotaQuestion, { quota, limit, windowEndsAt }: MissedQuota): AppError => {
    // Between the list of this process and the ledger's a budget can have gone.
    const budget = this.#options.book.find(quota);
    const unit = budget?.unit ?? 'usd';
    const bound = boundOf(question, unit);
    const switchTo = budget?.switchTo;
    const isTooLarge = switchTo === undefined && bound !== undefined && bound.greaterThan(limit);
    const action = switchTo !== undefined ? 'switched' : isTooLarge ? 'refused' : 'parked';
    this.#options.metrics.increment('budget_refusals_total', { budget: quota, action });
    if (isTooLarge) {
      return new AppError(
        budgetErrors.MILLRACE_BUDGET_CALL_TOO_LARGE,
        `The call may take up to ${amountText(bound, unit)}, and the budget "${quota}" is ${amountText(limit, unit)} in all.`,
      );
    }
    const until = `${budget !== undefined && isRolling(budget.window) ? 'the next part of it can come back at' : 'its window ends at'} ${windowEndsAt.toISOString()}`;
    return new Parked(
      `The budget "${quota}" of ${amountText(limit, unit)} has no room for this call; ${until}.`,
      {
        reason: 'budget',
        parkedFor: parkedForBudget(quota),
        ...(switchTo === undefined ? {} : { switchTo }),
      },
    );
  };
}

function boundOf({ upperBoundUsd, upperBoundTokens }: QuotaQuestion, unit: BudgetUnit): Amount | undefined {
  return unit === 'tokens' ? readAmount(String(upperBoundTokens)) : upperBoundUsd;
}

function refusesUnpriced({ unpriced }: BookedBudget): boolean {
  return unpriced === 'refuse';
}
