import type { Command } from 'commander';
import type { BudgetOrder, BudgetSettings } from './apply-budgets.ts';
import { type BudgetReport, BudgetReports } from './budget-reports.ts';
import { AppError } from '../../kernel/app-error.ts';
import { usd } from '../../kernel/money.ts';
import type { BudgetChange } from './budget-definition.ts';
import { BudgetLedger } from './budget-ledger.ts';
import {
  type Bind,
  type CommandContext,
  exitCodes,
  print,
  type StoreOptions,
  tell,
  withStoreOptions,
} from '../../terminal/command-context.ts';
import { operatorName } from '../../terminal/operator-name.ts';
import {
  formatCount,
  renderTable,
  roundedUsd,
  type TableColumn,
  tableDigits,
} from '../../terminal/text-table.ts';

interface BudgetsOptions extends StoreOptions {
  readonly json?: boolean;
}

interface ApplyOptions extends BudgetsOptions {
  readonly dryRun?: boolean;
  readonly remove?: boolean;
  readonly reason?: string;
  readonly actor?: string;
}

/** `millrace budgets`: the report of GET /v1/budgets at the terminal; `apply` makes those of the configuration hold at once. */
export function addBudgetsCommand(
  program: Command,
  context: CommandContext<BudgetSettings>,
  bind: Bind,
): void {
  const budgets = withStoreOptions(program.command('budgets'))
    .description('limits in money: what is spent, reserved and left, and how many messages wait')
    .option('--json', 'one JSON object, as the API answers')
    .action(bind((options: BudgetsOptions) => showBudgets(context, options)));
  withStoreOptions(budgets.command('apply'))
    .description('put the budgets of the configuration in force, in all running processes')
    .option('--dry-run', 'only say what would change')
    .option('--remove', 'remove budgets that the configuration does not name')
    .option('--reason <text>', 'why (required); it stands in the audit')
    .option('--actor <name>', 'who, for the audit; the account at this machine without it')
    .option('--json', 'one JSON object')
    // --config, --data and --json are the outer command's too, which takes them wherever they stand.
    .action(bind((_: unknown, command: Command) => apply(context, command.optsWithGlobals<ApplyOptions>())));
}

async function showBudgets(
  context: CommandContext<BudgetSettings>,
  options: BudgetsOptions,
): Promise<number> {
  const { withLedger } = await context.installation(options);
  const report = await withLedger(({ database }) => new BudgetReports(new BudgetLedger(database)).report({}));
  print(context, options.json === true ? JSON.stringify(report, undefined, 2) : budgetsText(report));
  return exitCodes.ok;
}

async function apply(context: CommandContext<BudgetSettings>, options: ApplyOptions): Promise<number> {
  const { json = false, dryRun = false, remove: mayRemove = false } = options;
  const operation = dryRun ? undefined : operationOf(options);
  const { applyBudgets } = await import('./apply-budgets.ts');
  const changes = await applyBudgets(await context.installation(options), { operation, mayRemove });
  const isApplied = !dryRun && changes.length > 0;
  if (json) print(context, JSON.stringify({ changes, applied: isApplied }, undefined, 2));
  else if (changes.length === 0)
    print(context, 'Nothing to change: the budgets of the configuration hold already.');
  else print(context, changes.map((change) => changeText(change)).join('\n'));
  if (isApplied) {
    tell(
      context,
      'Applied: running processes follow within two seconds. One that starts later brings the budgets of its own configuration.',
    );
  } else if (changes.length > 0) {
    const isGuarded = !mayRemove && changes.some(({ change }) => change === 'removed');
    tell(context, `Nothing was changed (--dry-run).${isGuarded ? ' Removing takes --remove.' : ''}`);
  }
  return exitCodes.ok;
}

function operationOf({ actor, reason }: ApplyOptions): BudgetOrder['operation'] {
  if (reason !== undefined && reason.trim() !== '') return { actor: operatorName(actor), reason };
  throw new AppError(
    'MILLRACE_REQUEST_INVALID',
    'Say why, for the audit: --reason "…". --dry-run needs none.',
  );
}

function changeText({ budget, change, fields }: BudgetChange): string {
  const parts = Object.entries(fields).map(([field, { from, to }]) =>
    change === 'changed' ? `${field} ${from ?? 'any'} → ${to ?? 'any'}` : `${field} ${to ?? from ?? ''}`,
  );
  return `${change} ${budget}: ${parts.join(', ')}`;
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
