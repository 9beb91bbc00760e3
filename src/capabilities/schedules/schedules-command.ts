import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Operator } from '../../http/operator.ts';
import { invalidRequest, parseRequest } from '../../http/request-faults.ts';
import {
  type Bind,
  type CommandContext,
  exitCodes,
  print,
  type StoreOptions,
  withStoreOptions,
} from '../../terminal/command-context.ts';
import { operatorName } from '../../terminal/operator-name.ts';
import { nameOption } from '../../terminal/option-values.ts';
import type { ScheduleCommandSettings } from './command-schedules.ts';
import {
  listSchedulesSchema,
  scheduleOrderSchema,
  scheduleRequestSchema,
  showScheduleSchema,
} from './schedule-requests.ts';
import type { ScheduleService } from './schedule-service.ts';
import { scheduleListText, scheduleText } from './schedules-text.ts';

interface ShowOptions extends StoreOptions {
  readonly team?: string;
  readonly limit?: string;
  readonly after?: string;
  readonly nextTimes?: string;
  readonly runs?: string;
  readonly json?: boolean;
}

interface OrderOptions extends ShowOptions {
  readonly reason?: string;
  readonly actor?: string;
}

type Context = CommandContext<ScheduleCommandSettings>;
type Order = 'pause' | 'resume' | 'run' | 'delete';

const orders: Readonly<Record<Order, { readonly description: string; readonly done: string }>> = {
  pause: { description: 'let no time of a schedule run until it is resumed', done: 'Paused' },
  resume: { description: 'let a paused schedule go on, from its first time from now on', done: 'Resumed' },
  run: { description: 'run a schedule once now, beside its times', done: 'It runs within a second or so' },
  delete: { description: 'delete a schedule with its runs; messages go on', done: 'Deleted' },
};

/** `millrace schedules`: messages that are sent again and again. */
export function addSchedulesCommand(program: Command, context: Context, bind: Bind): void {
  const schedules = withStoreOptions(program.command('schedules'))
    .description('messages that are sent again and again: when, and what became of their last runs')
    .option('--team <name>', 'only those of this team', nameOption)
    .option('--limit <count>', 'the most that are shown')
    .option('--after <place>', 'where an earlier list went on')
    .option('--json', 'one JSON object, as the API answers')
    .action(bind((options: ShowOptions) => list(context, options)));
  withReference(schedules.command('show'))
    .description('one schedule: its next times, its last runs with their messages and costs')
    .option('--next-times <count>', 'how many of its next times')
    .option('--runs <count>', 'how many of its last runs')
    .action(bind((name: string, _: unknown, command: Command) => show(context, name, command)));
  withOrder(withStoreOptions(schedules.command('set')), 'why; it stands in the audit')
    .argument('<file>', 'JSON: name, when, and the message; - reads standard input')
    .description('make a schedule, or replace the one of its team and name; its data is checked when it runs')
    .action(bind((file: string, _: unknown, command: Command) => set(context, file, command)));
  for (const order of ['pause', 'resume', 'run', 'delete'] as const) {
    withOrder(withReference(schedules.command(order)), 'why (required); it stands in the audit')
      .description(orders[order].description)
      .action(bind((name: string, _: unknown, command: Command) => act(context, order, name, command)));
  }
}

function withReference(command: Command): Command {
  return withStoreOptions(command)
    .argument('<schedule>', 'its name, or its id')
    .option('--team <name>', 'whose schedule, where several teams have one of the name', nameOption)
    .option('--json', 'one JSON object, as the API answers');
}

function withOrder(command: Command, why: string): Command {
  return command
    .option('--reason <text>', why)
    .option('--actor <name>', 'who, for the audit; the account at this machine without it');
}

async function list(context: Context, options: ShowOptions): Promise<number> {
  const page = parseRequest(listSchedulesSchema, given({ limit: options.limit, after: options.after }));
  const listed = await withService(context, options, (service) => service.list(options, page));
  print(context, options.json === true ? json(listed) : scheduleListText(listed));
  return exitCodes.ok;
}

async function show(context: Context, name: string, command: Command): Promise<number> {
  const options = command.optsWithGlobals<ShowOptions>();
  const { nextTimes, runs } = options;
  const shown = { ...parseRequest(showScheduleSchema, given({ nextTimes, runs })), showsData: true };
  const found = await withService(context, options, (service) => service.show(name, options, shown));
  print(context, options.json === true ? json(found) : scheduleText(found));
  return exitCodes.ok;
}

async function set(context: Context, file: string, command: Command): Promise<number> {
  const options = command.optsWithGlobals<OrderOptions>();
  const { reason } = options;
  const request = parseRequest(scheduleRequestSchema, { ...(await objectIn(file)), ...given({ reason }) });
  const { schedule, done } = await withService(context, options, (service) =>
    service.set(request, operatorOf(options)),
  );
  print(context, options.json === true ? json(schedule) : `${done}: ${schedule.name} (${schedule.id}).`);
  return exitCodes.ok;
}

async function act(context: Context, order: Order, name: string, command: Command): Promise<number> {
  const options = command.optsWithGlobals<OrderOptions>();
  const { reason } = parseRequest(scheduleOrderSchema, given({ reason: options.reason }));
  const answer = await withService<unknown>(context, options, (service) =>
    service[order](name, reason, operatorOf(options)),
  );
  print(context, options.json === true ? json(answer) : `${orders[order].done}: ${name}.`);
  return exitCodes.ok;
}

function operatorOf({ actor, team }: OrderOptions): Operator {
  return { actor: operatorName(actor), ...(team === undefined ? {} : { team }) };
}

/** The JSON object in a file. Throws MILLRACE_REQUEST_INVALID. */
async function objectIn(file: string): Promise<object> {
  const text = await readFile(file === '-' ? '/dev/stdin' : file, 'utf8').catch((error: unknown) => {
    throw invalidRequest([{ field: 'file', problem: `cannot be read: ${String(error)}` }]);
  });
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch (error) {
    throw invalidRequest([{ field: 'file', problem: `is not JSON: ${String(error)}` }]);
  }
  throw invalidRequest([{ field: 'file', problem: 'holds a JSON object' }]);
}

async function withService<Result>(
  context: Context,
  options: StoreOptions,
  work: (service: ScheduleService) => Promise<Result>,
): Promise<Result> {
  const { withScheduleService } = await import('./command-schedules.ts');
  return withScheduleService(await context.installation(options), work);
}

function given(options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function json(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}
