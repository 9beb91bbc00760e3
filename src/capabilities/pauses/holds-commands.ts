import type { Command } from 'commander';
import { parseRequest } from '../../http/request-faults.ts';
import { describeHold, holdScopes } from '../../engine/ledger/hold.ts';
import type { HoldOffice } from './hold-office.ts';
import { liftHoldSchema, placeHoldSchema } from './hold-requests.ts';
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

interface HoldOptions extends StoreOptions {
  readonly reason?: string;
  readonly actor?: string;
  readonly abort?: boolean;
  readonly json?: boolean;
}

/** `millrace pause` and `millrace resume`: stop work everywhere, and let it go on. */
export function addHoldsCommands(program: Command, context: CommandContext, bind: Bind): void {
  withHold(program.command('pause'))
    .description(
      'stop work everywhere: nothing of it is begun any more; messages are still admitted, and wait',
    )
    .option('--abort', 'end what is in the air too; no attempt is counted')
    .action(
      bind((scope: string, value: string | undefined, options: HoldOptions) =>
        pause(context, { scope, value }, options),
      ),
    );
  withHold(program.command('resume'))
    .description('let what was stopped go on')
    .action(
      bind((scope: string, value: string | undefined, options: HoldOptions) =>
        resume(context, { scope, value }, options),
      ),
    );
}

function withHold(command: Command): Command {
  return withStoreOptions(command)
    .argument('<scope>', `what: ${holdScopes.join(', ')}`)
    .argument('[value]', 'its name, or "provider/model"; none for all')
    .option('--reason <text>', 'why; it stands in the audit')
    .option('--actor <name>', 'who, for the audit; the account at this machine without it')
    .option('--json', 'one JSON object, as the API answers');
}

interface What {
  readonly scope: string;
  readonly value: string | undefined;
}

async function pause(context: CommandContext, what: What, options: HoldOptions): Promise<number> {
  const { reason, abort, json } = options;
  const order = parseRequest(placeHoldSchema, given({ ...what, reason, abort }));
  const operator = { actor: operatorName(options.actor) };
  const placed = await withOffice(context, options, (office) => office.place(order, operator));
  for (const warning of placed.warnings) tell(context, warning);
  const { hold, isNew } = placed;
  print(
    context,
    json === true
      ? JSON.stringify(placed, undefined, 2)
      : `${isNew ? 'Held' : 'Held already, now with this reason'}: ${describeHold(hold)} (${hold.id}).`,
  );
  return exitCodes.ok;
}

async function resume(context: CommandContext, what: What, options: HoldOptions): Promise<number> {
  const { reason, ...which } = parseRequest(liftHoldSchema, given({ ...what, reason: options.reason }));
  const operator = { actor: operatorName(options.actor) };
  const lifted = await withOffice(context, options, (office) => office.lift(which, reason, operator));
  print(
    context,
    options.json === true
      ? JSON.stringify(lifted, undefined, 2)
      : `No longer held: ${describeHold(lifted.hold)}. It was held since ${lifted.hold.createdAt}: ${lifted.hold.reason}`,
  );
  return exitCodes.ok;
}

async function withOffice<Result>(
  context: CommandContext,
  options: StoreOptions,
  work: (office: HoldOffice) => Promise<Result>,
): Promise<Result> {
  const { withHoldOffice } = await import('./command-holds.ts');
  return withHoldOffice(await context.installation(options), work);
}

function given(options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
