import type { Command } from 'commander';
import type { BudgetOrder, BudgetSettings } from './apply-budgets.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { BudgetChange } from './budget-definition.ts';
import { addBudgetOperations, showBudgets } from './budget-operations-command.ts';
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
interface BudgetsOptions extends StoreOptions {
  readonly json?: boolean;
}

interface ApplyOptions extends BudgetsOptions {
  readonly dryRun?: boolean;
  readonly remove?: boolean;
  readonly reason?: string;
  readonly actor?: string;
}

/** `millrace budgets`: the report of GET /v1/budgets at the terminal; `apply` makes those of the configuration hold at once, the others change one. */
export function addBudgetsCommand(
  program: Command,
  context: CommandContext<BudgetSettings>,
  bind: Bind,
): void {
  const budgets = withStoreOptions(program.command('budgets'))
    .description('limits in dollars and tokens: what is spent, reserved and left, and how many messages wait')
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
  addBudgetOperations(budgets, context, bind);
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
