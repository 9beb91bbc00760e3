import { BudgetAdmission } from './budget-admission.ts';
import { BudgetBook } from './budget-book.ts';
import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import type { Clock } from '../../kernel/clock.ts';
import { type Amount, formatUsd, zeroUsd } from '../../kernel/money.ts';
import { type BudgetChange, budgetChanges, type BudgetDefinition } from './budget-definition.ts';
import { BudgetLedger, type BudgetState, configuredBudgets } from './budget-ledger.ts';
import { isReached } from './budget-alerts.ts';
import { type BudgetMetrics, refusalActions } from './budget-metrics.ts';
import { budgetDefinitions } from './definition-of-setting.ts';
import { BudgetQuotas } from './budget-quotas.ts';
import type { BudgetSetting } from './budget-settings.ts';

/*
 * The budgets of a process: those of the configuration become those of the ledger when a host starts, and every process
 * looks there again and again, so that all hold the same budgets soon after any of them was started anew.
 */

export interface BudgetWatchOptions {
  readonly budgets: readonly BudgetSetting[];
  readonly database: SqlDatabase;
  readonly clock: Clock;
  readonly metrics: BudgetMetrics;
}

const none: readonly number[] = [];

export class BudgetWatch {
  readonly ledger: BudgetLedger;
  /** What new messages have to fit. */
  readonly admission: BudgetAdmission;
  /** What calls have to fit. */
  readonly quotas: BudgetQuotas;
  readonly #book: BudgetBook;
  readonly #definitions: readonly BudgetDefinition[];
  readonly #metrics: BudgetMetrics;
  #shown = new Map<string, BudgetState>();

  constructor({ budgets, database, clock, metrics }: BudgetWatchOptions) {
    this.#definitions = budgetDefinitions(budgets);
    this.#metrics = metrics;
    this.ledger = new BudgetLedger(database);
    const book = new BudgetBook(this.#definitions);
    this.#book = book;
    this.quotas = new BudgetQuotas({ book, metrics });
    this.admission = new BudgetAdmission({
      book,
      read: () => this.ledger.read(),
      clock,
      onRefused: (budget) => metrics.increment('budget_refusals_total', { budget, action: 'refused' }),
    });
  }

  /** Makes the configured budgets those of the ledger; answers what that changed for all processes. */
  async begin(): Promise<readonly BudgetChange[]> {
    const before = configuredBudgets(await this.ledger.read());
    await this.ledger.define(this.#definitions);
    await this.look();
    return budgetChanges(before, this.#definitions);
  }

  /** One look at the ledger; there never is more to do at once. */
  async look(): Promise<false> {
    const states = await this.ledger.read();
    this.#book.replace(states);
    for (const state of states) this.#show(state);
    for (const [name, state] of this.#shown) {
      if (states.some((one) => one.name === name)) continue;
      this.#show({ ...state, spent: zeroUsd, reserved: zeroUsd, leastAsked: undefined });
      this.#shown.delete(name);
    }
    return false;
  }

  #show(state: BudgetState): void {
    const { name, team } = state;
    const labels = { budget: name, team: team ?? 'all' };
    if (!this.#shown.has(name)) {
      this.#metrics.initialise(
        'budget_refusals_total',
        refusalActions.map((action) => ({ budget: name, action })),
      );
      this.#metrics.initialise('budget_alerts_total', [{ budget: name }]);
    }
    const percents = new Set([...(this.#shown.get(name)?.alertAt ?? none), ...state.alertAt]);
    this.#shown.set(name, state);
    for (const percent of percents) {
      const reached = state.alertAt.includes(percent) && isReached(state, percent) ? 1 : 0;
      this.#metrics.set('budget_alert_reached', { ...labels, percent: String(percent) }, reached);
    }
    const { unit, atLimit } = state;
    this.#metrics.set('budget_enforced', labels, atLimit === 'alert' ? 0 : 1);
    this.#metrics.set(`budget_limit_${unit}`, labels, gaugeOf(state.limit));
    this.#metrics.set(`budget_spent_${unit}`, labels, gaugeOf(state.spent));
    this.#metrics.set(`budget_reserved_${unit}`, labels, gaugeOf(state.reserved));
  }
}

/** Floats are good enough for boards; what counts is decimal. */
function gaugeOf(amount: Amount): number {
  return Number(formatUsd(amount));
}
