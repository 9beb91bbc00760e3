import { formatUsd, type Usd } from '../../kernel/money.ts';

/** A calendar window in UTC; weeks begin on Monday. */
export type BudgetWindowUnit = 'hour' | 'day' | 'week' | 'month';

/** A limit in money over what some origins may spend in a window. */
export interface BudgetDefinition {
  readonly name: string;
  /** Undefined: any. */
  readonly team: string | undefined;
  readonly customer: string | undefined;
  readonly feature: string | undefined;
  readonly window: BudgetWindowUnit;
  readonly limitUsd: Usd;
  /** What happens to new messages when it is used up: they are admitted and wait, or are refused. */
  readonly atLimit: 'park' | 'refuse';
  /** What happens to calls without a known price. */
  readonly unpriced: 'refuse' | 'allow';
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

function fieldsOf(budget: BudgetDefinition): Fields {
  const { team, customer, feature, window, limitUsd, atLimit, unpriced } = budget;
  return { team, customer, feature, window, limitUsd: formatUsd(limitUsd), atLimit, unpriced };
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
