import type { Command } from 'commander';
import { parseRequest } from '../../../http/request-faults.ts';
import {
  type Bind,
  type CommandContext,
  exitCodes,
  print,
  type StoreOptions,
  withStoreOptions,
} from '../../../terminal/command-context.ts';
import { operatorName } from '../../../terminal/operator-name.ts';
import { renderTable } from '../../../terminal/text-table.ts';
import type { CostSettings } from '../cost-settings.ts';
import { type ClosedPeriodDocument, closePeriodSchema, reopenPeriodSchema } from './period-document.ts';
import { PeriodLedger } from './period-ledger.ts';
import { PeriodService } from './period-service.ts';

interface PeriodsOptions extends StoreOptions {
  readonly timeZone?: string;
  readonly reason?: string;
  readonly actor?: string;
  readonly json?: boolean;
}

type Context = CommandContext<{ readonly costs: CostSettings }>;

/** `millrace periods`: months that are closed. */
export function addPeriodsCommand(program: Command, context: Context, bind: Bind): void {
  const periods = withStoreOptions(program.command('periods'))
    .description('months that are closed: their statements do not change any more')
    .option('--json', 'one JSON object, as the API answers')
    .action(bind((options: PeriodsOptions) => list(context, options)));
  withOperation(periods.command('close'), 'why; it stands in the audit')
    .description('close a month that is over; later corrections of its calls are booked in the present')
    .option('--time-zone <name>', 'whose month, as in Europe/Berlin; the setting of reports without it')
    .action(bind((month: string, _: unknown, command: Command) => close(context, month, command)));
  withOperation(periods.command('reopen'), 'why (required); it stands in the audit')
    .description('open a closed month again')
    .action(bind((month: string, _: unknown, command: Command) => reopen(context, month, command)));
}

function withOperation(command: Command, reason: string): Command {
  return withStoreOptions(command)
    .argument('<month>', 'the month, as in 2026-10')
    .option('--reason <text>', reason)
    .option('--actor <name>', 'who, for the audit; the account at this machine without it')
    .option('--json', 'one JSON object, as the API answers');
}

async function list(context: Context, options: PeriodsOptions): Promise<number> {
  const { periods } = await withService(context, options, (service) => service.list({}));
  if (options.json === true) print(context, JSON.stringify({ periods }, undefined, 2));
  else print(context, periods.length === 0 ? 'No period is closed.' : periodsText(periods));
  return exitCodes.ok;
}

async function close(context: Context, month: string, command: Command): Promise<number> {
  const options = command.optsWithGlobals<PeriodsOptions>();
  const { timeZone, reason } = options;
  const order = parseRequest(closePeriodSchema, { month, timeZone, reason });
  const operator = { actor: operatorName(options.actor) };
  return show(
    context,
    options,
    await withService(context, options, (service) => service.close(order, operator)),
  );
}

async function reopen(context: Context, month: string, command: Command): Promise<number> {
  const options = command.optsWithGlobals<PeriodsOptions>();
  const order = parseRequest(reopenPeriodSchema, { month, reason: options.reason });
  const operator = { actor: operatorName(options.actor) };
  return show(
    context,
    options,
    await withService(context, options, (service) => service.reopen(order, operator)),
  );
}

function show(context: Context, { json }: PeriodsOptions, period: ClosedPeriodDocument): number {
  print(context, json === true ? JSON.stringify(period, undefined, 2) : periodsText([period]));
  return exitCodes.ok;
}

function periodsText(periods: readonly ClosedPeriodDocument[]): string {
  return renderTable(
    [
      { title: 'month' },
      { title: 'time zone' },
      { title: 'closed at' },
      { title: 'by' },
      { title: 'reason' },
      { title: 'opened again' },
    ],
    periods.map(({ month, timeZone, closedAt, closedBy = '', reason = '', reopened }) => [
      month,
      timeZone,
      closedAt,
      closedBy,
      reason,
      reopened === undefined ? '' : `${reopened.at} by ${reopened.by ?? ''}: ${reopened.reason ?? ''}`,
    ]),
  );
}

async function withService<Result>(
  context: Context,
  options: StoreOptions,
  work: (service: PeriodService) => Promise<Result>,
): Promise<Result> {
  const { settings, withLedger } = await context.installation(options);
  const { timeZone } = settings.costs.reports;
  return withLedger(({ database, clock }) =>
    work(new PeriodService({ ledger: new PeriodLedger(database), clock, timeZone })),
  );
}
