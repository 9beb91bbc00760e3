import type { CallerView } from '../../http/api-key-identity.ts';
import { type Operator, requireUnbound } from '../../http/operator.ts';
import type { ModelStateSources } from '../../engine/providers/model-state.ts';
import { invalidRequest } from '../../http/request-faults.ts';
import { AppError } from '../../kernel/app-error.ts';
import { readAmount } from '../../kernel/money.ts';
import {
  budgetDocument,
  type BudgetDetail,
  type BudgetDocument,
  type BudgetReport,
  changeDocument,
} from './budget-documents.ts';
import type { BudgetLedger } from './budget-ledger.ts';
import type { BudgetOperations } from './budget-operations.ts';
import type { BudgetLimitOrder, SetBudgetOrder } from './budget-requests.ts';
import { definitionOf } from './definition-of-setting.ts';
import { switchProblem } from './switch-model.ts';

/** How many changes of a budget are shown. */
const shownChanges = 50;

export interface BudgetServiceOptions {
  readonly ledger: BudgetLedger;
  readonly operations: BudgetOperations;
  /** What a budget may switch to. Absent: it is not looked at, as by a command, which does not know providers in code. */
  readonly models?: ModelStateSources;
}

/** Budgets as people see and change them. */
export class BudgetService {
  readonly #ledger: BudgetLedger;
  readonly #operations: BudgetOperations;
  readonly #models: ModelStateSources | undefined;

  constructor({ ledger, operations, models }: BudgetServiceOptions) {
    this.#ledger = ledger;
    this.#operations = operations;
    this.#models = models;
  }

  /** Every budget for a viewer of all teams; for one who is bound to a team, the budgets of that team alone. */
  async report({ team }: CallerView): Promise<BudgetReport> {
    const [all, waiting] = await Promise.all([this.#ledger.read(), this.#ledger.countWaiting()]);
    const visible = team === undefined ? all : all.filter((state) => state.team === team);
    return { budgets: visible.map((state) => budgetDocument(state, visible, waiting.get(state.name) ?? 0)) };
  }

  /** One budget with what was done to it. Throws MILLRACE_NOT_FOUND, also for what the viewer may not see. */
  async show(name: string, view: CallerView): Promise<BudgetDetail> {
    const budget = (await this.report(view)).budgets.find((one) => one.name === name);
    if (budget === undefined) throw new AppError('MILLRACE_NOT_FOUND', `There is no budget "${name}".`);
    const changes = await this.#operations.changesOf(name, shownChanges);
    return { ...budget, changes: changes.map((change) => changeDocument(change)) };
  }

  /**
   * Sets a budget beside those of the configuration. Throws MILLRACE_FORBIDDEN, MILLRACE_REQUEST_INVALID where it switches to a model that
   * nobody can be asked, and what BudgetOperations throws.
   */
  async set(
    name: string,
    { reason, ...fields }: SetBudgetOrder,
    operator: Operator,
  ): Promise<BudgetDocument> {
    requireUnbound(operator, 'change budgets');
    const definition = definitionOf({ name, ...fields });
    const problem = this.#models === undefined ? undefined : switchProblem(definition, this.#models);
    if (problem !== undefined)
      throw invalidRequest([{ field: 'atLimit.switchTo', problem: `${problem.what}. ${problem.todo}` }]);
    await this.#operations.set(definition, { actor: operator.actor, reason });
    return await this.#read(name);
  }

  /** Sets the limit of a budget in the unit that it counts. */
  async setLimit(
    name: string,
    { limitUsd, limitTokens, reason }: BudgetLimitOrder,
    operator: Operator,
  ): Promise<BudgetDocument> {
    requireUnbound(operator, 'change budgets');
    const by = { actor: operator.actor, reason };
    await this.#operations.setLimit(
      name,
      ({ unit }) => {
        const limit = unit === 'usd' ? limitUsd : limitTokens;
        if (limit !== undefined) return readAmount(limit);
        throw new AppError(
          'MILLRACE_REQUEST_INVALID',
          `The budget "${name}" counts ${unit === 'usd' ? 'dollars: give limitUsd' : 'tokens: give limitTokens'}.`,
        );
      },
      by,
    );
    return await this.#read(name);
  }

  /** The limit of a budget is the configured one again. */
  async resetLimit(name: string, reason: string, operator: Operator): Promise<BudgetDocument> {
    requireUnbound(operator, 'change budgets');
    await this.#operations.resetLimit(name, { actor: operator.actor, reason });
    return await this.#read(name);
  }

  /** Removes a budget that an operator has set. */
  async remove(name: string, reason: string, operator: Operator): Promise<void> {
    requireUnbound(operator, 'change budgets');
    await this.#operations.remove(name, { actor: operator.actor, reason });
  }

  async #read(name: string): Promise<BudgetDocument> {
    const { changes: _, ...budget } = await this.show(name, {});
    return budget;
  }
}
