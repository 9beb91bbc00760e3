import { type Amount, formatUsd } from '../../kernel/money.ts';
import { type BudgetScope, scopeOf } from './budget-scope.ts';

/** What a budget counts. */
export type BudgetUnit = 'usd' | 'tokens';

/** A limit over what some calls may use in a window. */
export interface BudgetDefinition extends BudgetScope {
  readonly name: string;
  /** A calendar unit, or the length of a rolling window (budget-window.ts). */
  readonly window: string;
  /** Whose calendar its windows are of. */
  readonly timeZone: string;
  readonly unit: BudgetUnit;
  readonly limit: Amount;
  /**
   * What happens when it is used up. Calls always wait where it is `park` or `refuse`; new messages are admitted and wait, or are
   * refused. `switch`: another model is asked. `alert`: nothing, it only warns.
   */
  readonly atLimit: 'park' | 'refuse' | 'switch' | 'alert';
  /** The other model, "provider/model"; undefined unless `atLimit` is `switch`. */
  readonly switchTo: string | undefined;
  /** What happens to calls without a known price. */
  readonly unpriced: 'refuse' | 'allow';
  /** Percents of the limit that are told of when they are reached, rising. */
  readonly alertAt: readonly number[];
}

/** What is different about one budget. */
export interface BudgetChange {
  readonly budget: string;
  readonly change: 'added' | 'changed' | 'removed';
  /** By field: what it was and what it is to be; absent where there was none, or is to be none. */
  readonly fields: Readonly<Record<string, { readonly from?: string; readonly to?: string }>>;
}

/** What it takes to make the budgets that hold the wanted ones: nothing when they say the same. By name. */
export function budgetChanges(
  present: readonly BudgetDefinition[],
  wanted: readonly BudgetDefinition[],
): readonly BudgetChange[] {
  const before = new Map(present.map((budget) => [budget.name, fieldsOf(budget)]));
  const after = new Map(wanted.map((budget) => [budget.name, fieldsOf(budget)]));
  const names = [...new Set([...before.keys(), ...after.keys()])].toSorted();
  return names.flatMap((budget): BudgetChange[] => {
    const [was, is] = [before.get(budget), after.get(budget)];
    const fields = differences(was ?? {}, is ?? {});
    if (Object.keys(fields).length === 0) return [];
    const change = was === undefined ? 'added' : is === undefined ? 'removed' : 'changed';
    return [{ budget, change, fields }];
  });
}

type Fields = Readonly<Record<string, string | undefined>>;

/** What is as it is unless somebody says otherwise is left out. */
function fieldsOf(budget: BudgetDefinition): Fields {
  const { window, timeZone, unit, limit, atLimit, switchTo, unpriced, alertAt } = budget;
  return {
    ...scopeOf(budget),
    window,
    timeZone: timeZone === 'UTC' ? undefined : timeZone,
    [unit === 'usd' ? 'limitUsd' : 'limitTokens']: formatUsd(limit),
    atLimit,
    switchTo,
    unpriced,
    alertAt: alertAt.length === 0 ? undefined : alertAt.join(' '),
  };
}

function differences(was: Fields, is: Fields): BudgetChange['fields'] {
  const changes: Record<string, { from?: string; to?: string }> = {};
  for (const field of new Set([...Object.keys(was), ...Object.keys(is)])) {
    const [from, to] = [was[field], is[field]];
    if (from === to) continue;
    changes[field] = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
  }
  return changes;
}
