import type { Command } from 'commander';
import { type BudgetReport, BudgetReports } from '../costs/budget-reports.ts';
import { usd } from '../kernel/money.ts';
import { BudgetLedger } from '../ledger/budget-ledger.ts';
import {
  type Bind,
  type CommandContext,
  configurationOf,
  exitCodes,
  print,
  type StoreOptions,
  withStoreOptions,
} from './command-context.ts';
import { formatCount, renderTable, roundedUsd, type TableColumn, tableDigits } from './text-table.ts';

interface BudgetsOptions extends StoreOptions {
  readonly json?: boolean;
}

/** `millrace budgets`: the report of GET /v1/budgets at the terminal. */
export function addBudgetsCommand(program: Command, context: CommandContext, bind: Bind): void {
  withStoreOptions(program.command('budgets'))
    .description('limits in money: what is spent, reserved and left, and how many messages wait')
    .option('--json', 'one JSON object, as the API answers')
    .action(bind((options: BudgetsOptions) => showBudgets(context, options)));
}

async function showBudgets(context: CommandContext, options: BudgetsOptions): Promise<number> {
  const { withExistingStores } = await import('../app/operator-stores.ts');
  const report = await withExistingStores(configurationOf(context, options), ({ database }) =>
    new BudgetReports(new BudgetLedger(database)).report({}),
  );
  print(context, options.json === true ? JSON.stringify(report, undefined, 2) : budgetsText(report));
  return exitCodes.ok;
}

const columns: readonly TableColumn[] = [
  { title: 'budget' },
  { title: 'for' },
  { title: 'window' },
  { title: 'until (UTC)' },
  { title: 'limit', align: 'right' },
  { title: 'spent', align: 'right' },
  { title: 'reserved', align: 'right' },
  { title: 'left', align: 'right' },
  { title: 'waiting', align: 'right' },
];

function budgetsText({ budgets }: BudgetReport): string {
  if (budgets.length === 0) return 'No budgets.';
  const rows = budgets.map((budget) => [
    budget.name,
    scopeText(budget),
    budget.window,
    budget.windowEndsAt.slice(0, 16).replace('T', ' '),
    roundedUsd(usd(budget.limitUsd)),
    roundedUsd(usd(budget.spentUsd)),
    roundedUsd(usd(budget.reservedUsd)),
    roundedUsd(usd(budget.remainingUsd)),
    formatCount(budget.waitingMessages),
  ]);
  return [
    renderTable(columns, rows),
    '',
    `Amounts are US dollars, rounded to ${tableDigits} digits; --json has the exact ones.`,
  ].join('\n');
}

function scopeText({ team, customer, feature }: BudgetReport['budgets'][number]): string {
  const parts = Object.entries({ team, customer, feature }).flatMap(([field, value]) =>
    value === undefined ? [] : [`${field} ${value}`],
  );
  return parts.length === 0 ? 'everything' : parts.join(', ');
}
