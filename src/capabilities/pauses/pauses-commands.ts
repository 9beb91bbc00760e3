import type { Command } from 'commander';
import { parseRequest } from '../../http/request-faults.ts';
import { describeBlock, blockScopes } from '../../engine/ledger/block.ts';
import type { PauseService } from './pause-service.ts';
import { resumePauseSchema, placePauseSchema } from './pause-requests.ts';
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
import { pauseTable } from './pauses-text.ts';

interface PauseOptions extends StoreOptions {
  readonly reason?: string;
  readonly actor?: string;
  readonly abort?: boolean;
  readonly json?: boolean;
}

/** `millrace pause`, `resume` and `pauses`: stop work everywhere, let it go on, and list what is stopped. */
export function addPausesCommands(program: Command, context: CommandContext, bind: Bind): void {
  withPause(program.command('pause'))
    .description('stop work in all processes: none of it is begun; messages are still admitted, and wait')
    .option('--abort', 'abort what is running, too; no attempt is counted')
    .action(
      bind((scope: string, value: string | undefined, options: PauseOptions) =>
        pause(context, { scope, value }, options),
      ),
    );
  withPause(program.command('resume'))
    .description('resume what was paused')
    .action(
      bind((scope: string, value: string | undefined, options: PauseOptions) =>
        resume(context, { scope, value }, options),
      ),
    );
  withStoreOptions(program.command('pauses'))
    .description('what is paused, by whom and why, and how many messages wait for it')
    .option('--json', 'one JSON object, as the API answers')
    .action(bind((options: PauseOptions) => list(context, options)));
}

function withPause(command: Command): Command {
  return withStoreOptions(command)
    .argument('<scope>', `what: ${blockScopes.join(', ')}`)
    .argument('[value]', 'its name, or "provider/model"; none for all')
    .option('--reason <text>', 'why (required); it stands in the audit')
    .option('--actor <name>', 'who, for the audit; the account at this machine without it')
    .option('--json', 'one JSON object, as the API answers');
}

interface What {
  readonly scope: string;
  readonly value: string | undefined;
}

async function pause(context: CommandContext, what: What, options: PauseOptions): Promise<number> {
  const { reason, abort, json } = options;
  const order = parseRequest(placePauseSchema, given({ ...what, reason, abort }));
  const operator = { actor: operatorName(options.actor) };
  const placed = await withService(context, options, (service) => service.place(order, operator));
  for (const warning of placed.warnings) tell(context, warning);
  const { pause: standing, isNew } = placed;
  print(
    context,
    json === true
      ? JSON.stringify(placed, undefined, 2)
      : `${isNew ? 'Paused' : 'Paused already, now with this reason'}: ${describeBlock(standing)} (${standing.id}).`,
  );
  return exitCodes.ok;
}

async function resume(context: CommandContext, what: What, options: PauseOptions): Promise<number> {
  const { reason, ...which } = parseRequest(resumePauseSchema, given({ ...what, reason: options.reason }));
  const operator = { actor: operatorName(options.actor) };
  const resumed = await withService(context, options, (service) => service.resume(which, reason, operator));
  print(
    context,
    options.json === true
      ? JSON.stringify(resumed, undefined, 2)
      : `Resumed: ${describeBlock(resumed.pause)}. It was paused since ${resumed.pause.createdAt}: ${resumed.pause.reason}`,
  );
  return exitCodes.ok;
}

async function list(context: CommandContext, options: PauseOptions): Promise<number> {
  const listed = await withService(context, options, (service) => service.list({}));
  if (options.json === true) print(context, JSON.stringify(listed, undefined, 2));
  else print(context, listed.pauses.length === 0 ? 'Nothing is paused.' : pauseTable(listed.pauses));
  return exitCodes.ok;
}

async function withService<Result>(
  context: CommandContext,
  options: StoreOptions,
  work: (service: PauseService) => Promise<Result>,
): Promise<Result> {
  const { withPauseService } = await import('./command-pauses.ts');
  return withPauseService(await context.installation(options), work);
}

function given(options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
