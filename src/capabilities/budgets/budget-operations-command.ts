import type { Command } from 'commander';
import { parseRequest } from '../../http/request-faults.ts';
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
import type { BudgetSettings } from './apply-budgets.ts';
import type { BudgetDocument } from './budget-documents.ts';
import {
  budgetLimitSchema,
  budgetNameSchema,
  budgetReasonSchema,
  setBudgetSchema,
} from './budget-requests.ts';
import type { Operator } from '../../http/operator.ts';
import type { BudgetService } from './budget-service.ts';
import { budgetsText, budgetText } from './budgets-text.ts';

interface ShowOptions extends StoreOptions {
  readonly json?: boolean;
}

interface OperationOptions extends ShowOptions {
  readonly reason?: string;
  readonly actor?: string;
}

interface LimitOptions extends OperationOptions {
  readonly usd?: string;
  readonly tokens?: string;
}

interface SetOptions extends LimitOptions {
  readonly team?: string;
  readonly customer?: string;
  readonly feature?: string;
  readonly batch?: string;
  readonly pipeline?: string;
  readonly model?: string;
  readonly window?: string;
  readonly timezone?: string;
  readonly atLimit?: string;
  readonly switchTo?: string;
  readonly unpriced?: string;
  readonly alertAt?: string;
}

type Context = CommandContext<BudgetSettings>;

/** Shows one budget, and sets, raises, resets and removes budgets while everything runs. */
export function addBudgetOperations(budgets: Command, context: Context, bind: Bind): void {
  withName(budgets.command('show'))
    .description('one budget: its figures, a forecast, and what operators did to it')
    .action(bind((name: string, _: unknown, command: Command) => showBudget(context, name, command)));
  withReason(withName(budgets.command('limit')))
    .description('raise or lower the limit of a budget in all running processes, until it is reset')
    .option('--usd <amount>', 'the limit of a budget of dollars')
    .option('--tokens <number>', 'the limit of a budget of tokens')
    .action(bind((name: string, _: unknown, command: Command) => setLimit(context, name, command)));
  withReason(withName(budgets.command('reset')))
    .description('let the limit of a budget be as configured again')
    .action(bind((name: string, _: unknown, command: Command) => reset(context, name, command)));
  withReason(withName(budgets.command('set')))
    .description('set a budget beside those of the configuration, all of it anew')
    .option('--team <name>', 'whose calls count; none of team to model given: all')
    .option('--customer <name>', 'see --team')
    .option('--feature <name>', 'see --team')
    .option('--batch <name>', 'see --team')
    .option('--pipeline <name>', 'see --team')
    .option('--model <model>', '"provider/model", or "provider/*"')
    .option('--window <window>', 'hour, day, week, month; or rolling: "24h", "7d"')
    .option('--timezone <name>', 'whose calendar the window is of, such as Europe/Berlin')
    .option('--usd <amount>', 'the limit in dollars')
    .option('--tokens <number>', 'the limit in tokens')
    .option('--at-limit <action>', 'park, refuse or alert')
    .option('--switch-to <model>', 'the model that is asked instead at the limit')
    .option('--unpriced <action>', 'calls without a known price: refuse or allow')
    .option('--alert-at <percents>', 'percents of the limit to tell of, such as 50,80,100')
    .action(bind((name: string, _: unknown, command: Command) => setBudget(context, name, command)));
  withReason(withName(budgets.command('remove')))
    .description('remove a budget that was set; what waits for it goes on')
    .action(bind((name: string, _: unknown, command: Command) => remove(context, name, command)));
}

/** `millrace budgets`. */
export async function showBudgets(context: Context, options: ShowOptions): Promise<number> {
  const report = await withService(context, options, (service) => service.report({}));
  print(context, options.json === true ? JSON.stringify(report, undefined, 2) : budgetsText(report));
  return exitCodes.ok;
}

async function showBudget(context: Context, given: string, command: Command): Promise<number> {
  const options = command.optsWithGlobals<ShowOptions>();
  const { name } = parseRequest(budgetNameSchema, { name: given });
  const budget = await withService(context, options, (service) => service.show(name, {}));
  print(context, options.json === true ? JSON.stringify(budget, undefined, 2) : budgetText(budget));
  return exitCodes.ok;
}

async function setLimit(context: Context, given: string, command: Command): Promise<number> {
  const options = command.optsWithGlobals<LimitOptions>();
  const { name } = parseRequest(budgetNameSchema, { name: given });
  const order = parseRequest(budgetLimitSchema, limitsOf(options));
  return await operate(context, options, (service, operator) => service.setLimit(name, order, operator));
}

async function reset(context: Context, given: string, command: Command): Promise<number> {
  const options = command.optsWithGlobals<OperationOptions>();
  const { name } = parseRequest(budgetNameSchema, { name: given });
  const { reason } = parseRequest(budgetReasonSchema, { reason: options.reason });
  return await operate(context, options, (service, operator) => service.resetLimit(name, reason, operator));
}

async function setBudget(context: Context, given: string, command: Command): Promise<number> {
  const options = command.optsWithGlobals<SetOptions>();
  const { name } = parseRequest(budgetNameSchema, { name: given });
  const { team, customer, feature, batch, pipeline, model, window, unpriced } = options;
  const { timezone: timeZone, switchTo, atLimit, alertAt } = options;
  const order = parseRequest(
    setBudgetSchema,
    withoutAbsent({
      team,
      customer,
      feature,
      batch,
      pipeline,
      model,
      window,
      unpriced,
      timeZone,
      ...limitsOf(options),
      atLimit: switchTo === undefined ? atLimit : { switchTo },
      alertAt: alertAt?.split(',').map(Number),
    }),
  );
  return await operate(context, options, (service, operator) => service.set(name, order, operator));
}

async function remove(context: Context, given: string, command: Command): Promise<number> {
  const options = command.optsWithGlobals<OperationOptions>();
  const { name } = parseRequest(budgetNameSchema, { name: given });
  const { reason } = parseRequest(budgetReasonSchema, { reason: options.reason });
  const operator = { actor: operatorName(options.actor) };
  await withService(context, options, (service) => service.remove(name, reason, operator));
  tell(context, `The budget "${name}" holds no longer: running processes follow within two seconds.`);
  return exitCodes.ok;
}

async function operate(
  context: Context,
  options: OperationOptions,
  act: (service: BudgetService, operator: Operator) => Promise<BudgetDocument>,
): Promise<number> {
  const operator = { actor: operatorName(options.actor) };
  const budget = await withService(context, options, (service) => act(service, operator));
  print(
    context,
    options.json === true ? JSON.stringify(budget, undefined, 2) : budgetsText({ budgets: [budget] }),
  );
  tell(context, 'Running processes follow within two seconds.');
  return exitCodes.ok;
}

function limitsOf({ usd: limitUsd, tokens: limitTokens, reason }: LimitOptions): Record<string, unknown> {
  return withoutAbsent({ limitUsd, limitTokens, reason });
}

/** Without what was not given. */
function withoutAbsent(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function withName(command: Command): Command {
  return withStoreOptions(command)
    .argument('<name>', 'the budget')
    .option('--json', 'one JSON object, as the API answers');
}

function withReason(command: Command): Command {
  return command
    .option('--reason <text>', 'why (required); it stands in the audit')
    .option('--actor <name>', 'who, for the audit; the account at this machine without it');
}

async function withService<Result>(
  context: Context,
  options: StoreOptions,
  work: (service: BudgetService) => Promise<Result>,
): Promise<Result> {
  const { withBudgetService } = await import('./command-budgets.ts');
  return withBudgetService(await context.installation(options), work);
}
