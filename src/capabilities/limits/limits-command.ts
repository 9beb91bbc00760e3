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
import { wholeNumberOption } from '../../terminal/option-values.ts';
import type { LimitsByName } from './limit-book.ts';
import type { ModelLimitDocument } from './limit-documents.ts';
import {
  maxRequestsPerMinute,
  maxTokensPerMinute,
  resetLimitSchema,
  setLimitSchema,
} from './limit-requests.ts';
import type { LimitService } from './limit-service.ts';
import { limitsText } from './limits-text.ts';

interface LimitConfiguration {
  readonly limits: { readonly models: LimitsByName };
}

interface LimitsOptions extends StoreOptions {
  readonly json?: boolean;
  readonly requests?: number;
  readonly tokens?: number;
  readonly reason?: string;
  readonly actor?: string;
}

type Context = CommandContext<LimitConfiguration>;

/** `millrace limits`: requests and tokens a minute of models, and setting them while everything runs. */
export function addLimitsCommand(program: Command, context: Context, bind: Bind): void {
  const limits = withStoreOptions(program.command('limits'))
    .description('requests and tokens a minute of models: what is in force, configured, and set by whom')
    .option('--json', 'one JSON object, as the API answers')
    .action(bind((options: LimitsOptions) => list(context, options)));
  withOperation(limits.command('set'))
    .description('set the limits of a model in all running processes; what is not given is as configured')
    .option('--requests <number>', 'requests a minute', wholeNumberOption(1, maxRequestsPerMinute))
    .option('--tokens <number>', 'tokens a minute', wholeNumberOption(1, maxTokensPerMinute))
    .action(bind((model: string, _: unknown, command: Command) => set(context, model, command)));
  withOperation(limits.command('reset'))
    .description('let the limits of a model be as configured again')
    .action(bind((model: string, _: unknown, command: Command) => reset(context, model, command)));
}

function withOperation(command: Command): Command {
  return withStoreOptions(command)
    .argument('<model>', '"provider/model", or "provider/*"')
    .option('--reason <text>', 'why (required); it stands in the audit')
    .option('--actor <name>', 'who, for the audit; the account at this machine without it')
    .option('--json', 'one JSON object, as the API answers');
}

async function list(context: Context, options: LimitsOptions): Promise<number> {
  const listed = await withService(context, options, (service) => service.list());
  print(context, options.json === true ? JSON.stringify(listed, undefined, 2) : limitsText(listed.limits));
  return exitCodes.ok;
}

async function set(context: Context, model: string, command: Command): Promise<number> {
  const options = command.optsWithGlobals<LimitsOptions>();
  const order = parseRequest(setLimitSchema, {
    model,
    reason: options.reason,
    ...(options.requests === undefined ? {} : { requestsPerMinute: options.requests }),
    ...(options.tokens === undefined ? {} : { tokensPerMinute: options.tokens }),
  });
  const operator = { actor: operatorName(options.actor) };
  return show(
    context,
    options,
    await withService(context, options, (service) => service.set(order, operator)),
  );
}

async function reset(context: Context, name: string, command: Command): Promise<number> {
  const options = command.optsWithGlobals<LimitsOptions>();
  const { model, reason } = parseRequest(resetLimitSchema, { model: name, reason: options.reason });
  const operator = { actor: operatorName(options.actor) };
  return show(
    context,
    options,
    await withService(context, options, (service) => service.reset(model, reason, operator)),
  );
}

function show(context: Context, { json }: LimitsOptions, limit: ModelLimitDocument): number {
  print(context, json === true ? JSON.stringify(limit, undefined, 2) : limitsText([limit]));
  tell(context, 'Running processes follow within two seconds.');
  return exitCodes.ok;
}

async function withService<Result>(
  context: Context,
  options: StoreOptions,
  work: (service: LimitService) => Promise<Result>,
): Promise<Result> {
  const { withLimitService } = await import('./command-limits.ts');
  return withLimitService(await context.installation(options), work);
}
