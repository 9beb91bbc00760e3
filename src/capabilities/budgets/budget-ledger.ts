import type { SqlDatabase, SqlExecutor } from '../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { type Usd, formatUsd, usd } from '../../kernel/money.ts';
import {
  type BudgetChange,
  budgetChanges,
  type BudgetDefinition,
  type BudgetWindowUnit,
} from './budget-definition.ts';
import * as sql from './budget-sql.ts';
import { countParked, listParkedNames } from '../../engine/ledger/parked-sql.ts';
import { type OverdueMessage, type NotifyRow, overdueOf } from '../../engine/ledger/sweep-ledger.ts';

/** A budget that holds, with the figures of its present window. */
export interface BudgetState extends BudgetDefinition {
  readonly windowStart: Date;
  readonly windowEndsAt: Date;
  readonly endsInMs: number;
  /** What settled calls cost, and the upper bounds of unsettled ones. */
  readonly spentUsd: Usd;
  /** The upper bounds of calls under way. */
  readonly reservedUsd: Usd;
  /** The smallest upper bound that was asked for in this window. */
  readonly leastUsd: Usd | undefined;
  /** The smallest upper bound that did not fit since messages were last released. */
  readonly refusedUsd: Usd | undefined;
}

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

interface BudgetRow {
  readonly name: string;
  readonly team: string | null;
  readonly customer: string | null;
  readonly feature: string | null;
  readonly window_unit: BudgetWindowUnit;
  readonly limit_usd: string;
  readonly at_limit: 'park' | 'refuse';
  readonly unpriced: 'refuse' | 'allow';
  readonly window_start: Date;
  readonly window_ends_at: Date;
  readonly ends_in_ms: number;
  readonly spent_usd: string;
  readonly reserved_usd: string;
  readonly least_usd: string | null;
  readonly refused_usd: string | null;
}

/** Budgets in the ledger: their definitions, what their windows say, and the messages that wait for them. */
export class BudgetLedger {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Makes these the budgets that hold, for every process. What was spent under a name stays with it. */
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
      const present = rows.map((row) => stateOf(row));
      const changes = budgetChanges(present, budgets);
      const operation = changes.length === 0 ? undefined : decide(changes);
      if (operation === undefined) return changes;
      const { id, actor, reason } = operation;
      await writeDefinitions(transaction, budgets);
      const detail = JSON.stringify({ changes });
      await transaction.query(sql.recordBudgetChange, [id, actor, changes.length, detail, reason]);
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

async function writeDefinitions(
  transaction: SqlExecutor,
  budgets: readonly BudgetDefinition[],
): Promise<void> {
  const rows = budgets.map((budget) => ({
    name: budget.name,
    team: budget.team,
    customer: budget.customer,
    feature: budget.feature,
    window_unit: budget.window,
    limit_usd: formatUsd(budget.limitUsd),
    at_limit: budget.atLimit,
    unpriced: budget.unpriced,
  }));
  await transaction.query(sql.defineBudgets, [JSON.stringify(rows)]);
}

function budgetOf(parkedFor: string): readonly string[] {
  return parkedFor.startsWith(parkedPrefix) ? [parkedFor.slice(parkedPrefix.length)] : [];
}

function stateOf(row: BudgetRow): BudgetState {
  return {
    name: row.name,
    team: row.team ?? undefined,
    customer: row.customer ?? undefined,
    feature: row.feature ?? undefined,
    window: row.window_unit,
    limitUsd: usd(row.limit_usd),
    atLimit: row.at_limit,
    unpriced: row.unpriced,
    windowStart: row.window_start,
    windowEndsAt: row.window_ends_at,
    endsInMs: row.ends_in_ms,
    spentUsd: usd(row.spent_usd),
    reservedUsd: usd(row.reserved_usd),
    leastUsd: row.least_usd === null ? undefined : usd(row.least_usd),
    refusedUsd: row.refused_usd === null ? undefined : usd(row.refused_usd),
  };
}
