import { usd } from '../../kernel/money.ts';
import {
  formatCount,
  renderTable,
  roundedUsd,
  type TableColumn,
  tableDigits,
} from '../../terminal/text-table.ts';
import type { BudgetDetail, BudgetDocument, BudgetReport } from './budget-documents.ts';
import { scopeText } from './budget-scope.ts';

const columns: readonly TableColumn[] = [
  { title: 'budget' },
  { title: 'for' },
  { title: 'window' },
  { title: 'until (UTC)' },
  { title: 'limit', align: 'right' },
  { title: 'spent', align: 'right' },
  { title: 'reserved', align: 'right' },
  { title: 'left', align: 'right' },
  { title: 'forecast', align: 'right' },
  { title: 'waiting', align: 'right' },
];

/** Budgets as a table: each under the first of the budgets that contain it. */
export function budgetsText({ budgets }: BudgetReport): string {
  if (budgets.length === 0) return 'No budgets.';
  return [
    renderTable(
      columns,
      asTree(budgets).map(({ budget, depth }) => rowOf(budget, depth)),
    ),
    '',
    `Amounts are US dollars or, where "tokens" stands behind the limit, tokens, rounded to ${tableDigits} digits; --json has the exact ones.`,
  ].join('\n');
}

/** One budget, and what was done to it. */
export function budgetText(budget: BudgetDetail): string {
  const { configuredLimit, atLimit, alertAt, parents, forecast, changes } = budget;
  const atLimitText = typeof atLimit === 'object' ? `switch to ${atLimit.switchTo}` : atLimit;
  const facts = [
    `at the limit: ${atLimitText}; calls without a price: ${budget.unpriced}`,
    ...(parents.length === 0 ? [] : [`within: ${parents.join(', ')}`]),
    ...(alertAt.length === 0 ? [] : [`tells of: ${alertAt.map((percent) => `${percent} %`).join(', ')}`]),
    ...(configuredLimit === undefined ? [] : [`configured limit: ${configuredLimit}`]),
    ...(forecast?.exhaustedAt === undefined
      ? []
      : [`used up, if it goes on so: ${minuteOf(forecast.exhaustedAt)} UTC`]),
  ];
  const history = changes.map(({ at, actor, change, fields, reason }) => {
    const parts = Object.entries(fields).map(
      ([field, { from, to }]) => `${field} ${from ?? 'none'} → ${to ?? 'none'}`,
    );
    return `${minuteOf(at)} ${actor} ${change}: ${parts.join(', ')} (${reason})`;
  });
  return [
    budgetsText({ budgets: [budget] }),
    ...facts,
    '',
    ...(history.length === 0 ? ['No operator has changed it.'] : history),
  ].join('\n');
}

function rowOf(budget: BudgetDocument, depth: number): readonly string[] {
  const shown = (amount: string): string =>
    budget.unit === 'usd' ? roundedUsd(usd(amount)) : formatCount(Number(amount));
  return [
    `${'  '.repeat(depth)}${budget.name}`,
    scopeText(budget),
    budget.timeZone === 'UTC' ? budget.window : `${budget.window} ${budget.timeZone}`,
    minuteOf(budget.windowEndsAt),
    budget.unit === 'usd' ? shown(budget.limit) : `${shown(budget.limit)} tokens`,
    shown(budget.spent),
    shown(budget.reserved),
    shown(budget.remaining),
    budget.forecast === undefined ? '' : shown(budget.forecast.spent),
    formatCount(budget.waitingMessages),
  ];
}

interface Placed {
  readonly budget: BudgetDocument;
  readonly depth: number;
}

function asTree(budgets: readonly BudgetDocument[]): readonly Placed[] {
  const names = new Set(budgets.map(({ name }) => name));
  const under = (parent: string | undefined, depth: number): readonly Placed[] =>
    budgets
      .filter(({ parents }) => parents.find((name) => names.has(name)) === parent)
      .flatMap((budget) => [{ budget, depth }, ...under(budget.name, depth + 1)]);
  return under(undefined, 0);
}

function minuteOf(time: string): string {
  return time.slice(0, 16).replace('T', ' ');
}
