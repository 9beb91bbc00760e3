import type { SqlDatabase, SqlExecutor } from '../../drivers/sql-database/sql-database.ts';
import { countParked, listParkedNames } from '../../engine/ledger/parked-sql.ts';
import { type NotifyRow, type OverdueMessage, overdueOf } from '../../engine/ledger/sweep-ledger.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { type BudgetChange, budgetChanges, type BudgetDefinition } from './budget-definition.ts';
import * as sql from './budget-sql.ts';
import { type BudgetRow, type BudgetState, configuredOf, definitionRows, stateOf } from './budget-state.ts';

export type { BudgetState };

/** Who changes budgets, and why, for the audit. */
export interface BudgetOperation {
  readonly id: Uuid;
  readonly actor: string;
  readonly reason: string;
}

/** Something about budgets that does not add up. */
export interface BudgetFault {
  readonly budget: string;
  readonly windowStart: Date;
  readonly what: string;
}

/** What messages that wait for a budget are parked for. */
export function parkedForBudget(name: string): string {
  return `${parkedPrefix}${name}`;
}

const parkedPrefix = 'budget:';

/** Budgets in the ledger: their definitions, what their windows say, and the messages that wait for them. */
export class BudgetLedger {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /**
   * Makes these the budgets of the configuration, for every process. What was spent under a name stays with it; what operators have set
   * stays. Throws MILLRACE_REQUEST_INVALID when a budget would count in another unit than before under its name.
   */
  async define(budgets: readonly BudgetDefinition[]): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      await transaction.query(sql.lockBudgets);
      await writeDefinitions(transaction, budgets);
    });
  }

  /**
   * The same by an operator's order. `decide` sees what would change, if anything does, and answers the entry of the audit; or
   * undefined, and nothing is done. What it throws undoes everything. Answers the changes.
   */
  async change(
    budgets: readonly BudgetDefinition[],
    decide: (changes: readonly BudgetChange[]) => BudgetOperation | undefined,
  ): Promise<readonly BudgetChange[]> {
    return await this.#database.transaction(async (transaction) => {
      await transaction.query(sql.lockBudgets);
      const { rows } = await transaction.query<BudgetRow>(sql.readBudgets);
      const states = rows.map((row) => stateOf(row));
      const changes = budgetChanges(configuredBudgets(states), budgets);
      const operation = changes.length === 0 ? undefined : decide(changes);
      if (operation === undefined) return changes;
      const { id, actor, reason } = operation;
      await writeDefinitions(transaction, budgets);
      const detail = JSON.stringify({ changes });
      await transaction.query(sql.recordBudgetChange, [
        id,
        actor,
        'budgets.apply',
        'budgets',
        changes.length,
        detail,
        reason,
      ]);
      return changes;
    });
  }

  /** Every budget that holds, with its present window, by name. */
  async read(): Promise<readonly BudgetState[]> {
    const { rows } = await this.#database.query<BudgetRow>(sql.readBudgets);
    return rows.map((row) => stateOf(row));
  }

  /** The names of budgets that messages wait for, of those that hold no more among them. */
  async waitedFor(): Promise<readonly string[]> {
    const { rows } = await this.#database.query<{ name: string }>(listParkedNames);
    return rows.flatMap(({ name }) => budgetOf(name));
  }

  /** How many messages wait for each budget. Reads all that wait: for people, not for loops. */
  async countWaiting(): Promise<ReadonlyMap<string, number>> {
    const { rows } = await this.#database.query<{ name: string; count: number }>(countParked);
    return new Map(
      rows.flatMap(({ name, count }) => budgetOf(name).map((budget) => [budget, count] as const)),
    );
  }

  /** Lets at most so many of the messages that wait for the budget go on, the longest waiting first. */
  async release(name: string, limit: number): Promise<readonly OverdueMessage[]> {
    const { rows } = await this.#database.query<NotifyRow>(sql.releaseForBudget, [
      parkedForBudget(name),
      limit,
      name,
    ]);
    return rows.map((row) => overdueOf(row));
  }

  /**
   * What does not add up: windows against their calls, calls against their worth, and windows above their limit (which
   * is none when the limit was lowered since). Reads every call: for tests and for doubts. Calls of windows that began
   * before `prunedBefore` may have left the ledger.
   */
  async findFaults(prunedBefore?: Date): Promise<readonly BudgetFault[]> {
    const { rows } = await this.#database.query<{ budget: string; window_start: Date; what: string }>(
      sql.findBudgetFaults,
      [prunedBefore],
    );
    return rows.map(({ budget, window_start: windowStart, what }) => ({ budget, windowStart, what }));
  }
}

/** Those of the configuration, as it says them. */
export function configuredBudgets(states: readonly BudgetState[]): readonly BudgetDefinition[] {
  return states.filter(({ source }) => source === 'configuration').map((state) => configuredOf(state));
}

/**
 * Throws MILLRACE_REQUEST_INVALID when a budget of one of these names, present or former, counts in another unit: its windows would hold
 * both. Throws MILLRACE_DATA_REFUSED when the database does not know a time zone.
 */
export async function checkDefinitions(
  transaction: SqlExecutor,
  budgets: readonly BudgetDefinition[],
): Promise<void> {
  const { rows } = await transaction.query<{ name: string; unit: string }>(sql.unitsOfBudgets, [
    budgets.map(({ name }) => name),
  ]);
  await transaction.query(sql.checkTimeZones, [[...new Set(budgets.map(({ timeZone }) => timeZone))]]);
  const units = new Map(rows.map(({ name, unit }) => [name, unit]));
  const other = budgets.find(({ name, unit }) => (units.get(name) ?? unit) !== unit);
  if (other === undefined) return;
  throw new AppError(
    'MILLRACE_REQUEST_INVALID',
    `The budget "${other.name}" has counted ${units.get(other.name) === 'usd' ? 'dollars' : 'tokens'} under this name: give one that counts something else another name.`,
  );
}

async function writeDefinitions(
  transaction: SqlExecutor,
  budgets: readonly BudgetDefinition[],
): Promise<void> {
  await checkDefinitions(transaction, budgets);
  await transaction.query(sql.defineBudgets, [definitionRows(budgets)]);
}

function budgetOf(parkedFor: string): readonly string[] {
  return parkedFor.startsWith(parkedPrefix) ? [parkedFor.slice(parkedPrefix.length)] : [];
}
