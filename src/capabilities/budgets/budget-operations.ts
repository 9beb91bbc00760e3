import type { SqlDatabase, SqlExecutor } from '../../drivers/sql-database/sql-database.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import { type Amount, formatUsd } from '../../kernel/money.ts';
import { type BudgetChange, budgetChanges, type BudgetDefinition } from './budget-definition.ts';
import { budgetErrors } from './budget-errors.ts';
import { checkDefinitions } from './budget-ledger.ts';
import { maxBudgets } from './budget-settings.ts';
import * as sql from './budget-sql.ts';
import { type BudgetRow, type BudgetState, definitionRows, stateOf } from './budget-state.ts';

/** Who does it, and why. */
export interface BudgetOrderBy {
  readonly actor: string;
  readonly reason: string;
}

/** A change of one budget, as the audit has it. */
export interface RecordedChange {
  readonly at: Date;
  readonly actor: string;
  readonly action: string;
  readonly reason: string;
  readonly change: BudgetChange;
}

type Action = 'budgets.set' | 'budgets.limit' | 'budgets.reset' | 'budgets.remove';

/**
 * What operators change of budgets while everything runs: each in one transaction with its entry in the audit, which says what was and
 * what is since. Running processes follow within two seconds.
 */
export class BudgetOperations {
  readonly #database: SqlDatabase;
  readonly #clock: Clock;

  constructor({ database, clock }: { readonly database: SqlDatabase; readonly clock: Clock }) {
    this.#database = database;
    this.#clock = clock;
  }

  /**
   * Sets a budget of an operator anew. Throws MILLRACE_BUDGET_CONFIGURED when the configuration names it, and MILLRACE_REQUEST_INVALID
   * when it would count in another unit than before, or there are too many budgets.
   */
  async set(budget: BudgetDefinition, by: BudgetOrderBy): Promise<void> {
    await this.#change('budgets.set', budget.name, by, async (transaction, states) => {
      const present = states.find(({ name }) => name === budget.name);
      if (present?.source === 'configuration') throw configured(budget.name);
      if (present === undefined && states.length >= maxBudgets) {
        throw new AppError(
          'MILLRACE_REQUEST_INVALID',
          `There are ${maxBudgets} budgets already, the most there may be.`,
        );
      }
      await checkDefinitions(transaction, [budget]);
      await transaction.query(sql.setBudget, [definitionRows([budget])]);
    });
  }

  /** Sets the limit of a budget, whoever named it; of a configured one, above what the configuration says. Throws MILLRACE_NOT_FOUND. */
  async setLimit(name: string, limitOf: (state: BudgetState) => Amount, by: BudgetOrderBy): Promise<void> {
    await this.#change('budgets.limit', name, by, async (transaction, states) => {
      const limit = formatUsd(limitOf(existing(states, name)));
      await transaction.query(sql.setBudgetLimit, [name, limit]);
    });
  }

  /** The configured limit holds again. Throws MILLRACE_NOT_FOUND when no other was set. */
  async resetLimit(name: string, by: BudgetOrderBy): Promise<void> {
    await this.#change('budgets.reset', name, by, async (transaction, states) => {
      if (existing(states, name).configuredLimit === undefined) {
        throw new AppError(
          'MILLRACE_NOT_FOUND',
          `No limit of the budget "${name}" was set above the configured one.`,
        );
      }
      await transaction.query(sql.resetBudgetLimit, [name]);
    });
  }

  /** An operator's budget holds no longer; what waits for it goes on. Throws MILLRACE_NOT_FOUND and MILLRACE_BUDGET_CONFIGURED. */
  async remove(name: string, by: BudgetOrderBy): Promise<void> {
    await this.#change('budgets.remove', name, by, async (transaction, states) => {
      if (existing(states, name).source === 'configuration') throw configured(name);
      await transaction.query(sql.retireBudget, [name]);
    });
  }

  /** What was done to a budget, the latest first. */
  async changesOf(name: string, limit: number): Promise<readonly RecordedChange[]> {
    const { rows } = await this.#database.query<RecordedChange>(sql.listBudgetChanges, [name, limit]);
    return rows;
  }

  async #change(
    action: Action,
    name: string,
    { actor, reason }: BudgetOrderBy,
    act: (transaction: SqlExecutor, states: readonly BudgetState[]) => Promise<void>,
  ): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      await transaction.query(sql.lockBudgets);
      const before = await statesIn(transaction);
      await act(transaction, before);
      const one = (states: readonly BudgetState[]): readonly BudgetState[] =>
        states.filter((state) => state.name === name);
      const changes = budgetChanges(one(before), one(await statesIn(transaction)));
      // What changed nothing is not entered: the order was kept already.
      if (changes.length === 0) return;
      await transaction.query(sql.recordBudgetChange, [
        newId(this.#clock.now()),
        actor,
        action,
        `budget ${name}`,
        1,
        JSON.stringify({ changes }),
        reason,
      ]);
    });
  }
}

async function statesIn(transaction: SqlExecutor): Promise<readonly BudgetState[]> {
  const { rows } = await transaction.query<BudgetRow>(sql.readBudgets);
  return rows.map((row) => stateOf(row));
}

function existing(states: readonly BudgetState[], name: string): BudgetState {
  const state = states.find((one) => one.name === name);
  if (state === undefined) throw new AppError('MILLRACE_NOT_FOUND', `There is no budget "${name}".`);
  return state;
}

function configured(name: string): AppError {
  return new AppError(
    budgetErrors.MILLRACE_BUDGET_CONFIGURED,
    `The configuration names the budget "${name}": only its limit can be set beside it.`,
  );
}
