import type { Command } from 'commander';
import { parseRequest } from '../../http/request-faults.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { DeadLetterService } from './dead-letter-service.ts';
import {
  deadLetterFilterFields,
  discardedChoices,
  discardRequestSchema,
  listDeadLettersSchema,
  maxListed,
  maxOperated,
  replayRequestSchema,
} from './dead-letter-requests.ts';
import { createLogger } from '../../telemetry/logging.ts';
import {
  type Bind,
  type CommandContext,
  exitCodes,
  print,
  type StoreOptions,
  tell,
  withStoreOptions,
} from '../../terminal/command-context.ts';
import { decimalNumber, namesOption, wholeNumberOption } from '../../terminal/option-values.ts';
import { deadLetterText, listText, operatedText, planText } from './dead-letters-text.ts';
import { operatorName } from '../../terminal/operator-name.ts';
import type { DeadLetterSettings } from './command-dead-letters.ts';

interface FilterOptions extends StoreOptions {
  readonly stage?: readonly string[];
  readonly pipeline?: readonly string[];
  readonly owner?: readonly string[];
  readonly team?: readonly string[];
  readonly customer?: readonly string[];
  readonly feature?: readonly string[];
  readonly batch?: readonly string[];
  readonly errorCode?: readonly string[];
  readonly from?: string;
  readonly to?: string;
  readonly discarded?: string;
  readonly json?: boolean;
}

interface ListOptions extends FilterOptions {
  readonly limit?: string;
  readonly after?: string;
}

interface OperateOptions extends FilterOptions {
  readonly all?: boolean;
  readonly max?: number;
  readonly reason?: string;
  readonly actor?: string;
}

interface ReplayOptions extends OperateOptions {
  readonly dryRun?: boolean;
  readonly rate?: number;
}

/** `millrace dead-letters`: what was given up on, why, and what is to happen to it. */
export function addDeadLettersCommand(
  program: Command,
  context: CommandContext<DeadLetterSettings>,
  bind: Bind,
): void {
  const letters = program
    .command('dead-letters')
    .description('messages that were given up on: list, show, replay, discard');
  withFilters(letters.command('list'))
    .description('dead letters, newest first')
    .option('--limit <n>', `the most that are shown, up to ${maxListed}`)
    .option('--after <place>', 'go on where an earlier list ended')
    .action(bind((options: ListOptions) => listLetters(context, options)));
  withStoreOptions(letters.command('show'))
    .description(
      'everything about one: event, data, failed attempts and expired leases, calls and their cost, what operators did',
    )
    .argument('<id>', 'the id of the message')
    .option('--json', 'one JSON object, as the API answers')
    .action(bind((id: string, options: FilterOptions) => showLetter(context, id, options)));
  withSelection(letters.command('replay'))
    .description('process dead letters again; recorded answers are reused and cost nothing')
    .option('--dry-run', 'change nothing; say how many, of which stages, and what it may cost')
    .option('--rate <n>', 'how many become due in a second; all at once without it', decimalNumber)
    .action(bind((ids: readonly string[], options: ReplayOptions) => replayLetters(context, ids, options)));
  withSelection(letters.command('discard'))
    .description('discard dead letters: they are no longer counted')
    .action(bind((ids: readonly string[], options: OperateOptions) => discardLetters(context, ids, options)));
}

function withFilters(command: Command): Command {
  for (const field of deadLetterFilterFields) {
    const name = field.replace('_', '-');
    command.option(
      `--${name} <${name}>`,
      `only of this ${field.replace('_', ' ')}; repeat it for more`,
      namesOption,
    );
  }
  return withStoreOptions(command)
    .option('--from <time>', 'dead-lettered from this moment on: 2026-03-01 or 2026-03-01T12:00:00Z')
    .option('--to <time>', 'dead-lettered before this moment')
    .option('--discarded <which>', `discarded ones: ${discardedChoices.join(', ')}; no without it`)
    .option('--json', 'one JSON object, as the API answers');
}

function withSelection(command: Command): Command {
  return withFilters(command)
    .argument('[ids...]', 'ids of messages')
    .option('--all', 'every dead letter')
    .option(
      '--max <n>',
      `the most that are touched, oldest first, up to ${maxOperated}; 1000 without it`,
      wholeNumberOption(1, maxOperated),
    )
    .option('--reason <text>', 'why (required); it stands in the audit')
    .option('--actor <name>', 'who, for the audit; the account at this machine without it');
}

async function listLetters(
  context: CommandContext<DeadLetterSettings>,
  options: ListOptions,
): Promise<number> {
  const { limit, after } = options;
  const { filter, ...page } = parseRequest(listDeadLettersSchema, {
    ...filterOf(options),
    ...given({ limit, after }),
  });
  const list = await withService(context, options, false, (service) => service.list(filter, {}, page));
  print(context, options.json === true ? json(list) : listText(list));
  return exitCodes.ok;
}

async function showLetter(
  context: CommandContext<DeadLetterSettings>,
  id: string,
  options: FilterOptions,
): Promise<number> {
  const letter = await withService(context, options, false, (service) => service.show(id, {}));
  if (letter === undefined) throw new AppError('MILLRACE_NOT_FOUND', `There is no dead letter ${id}.`);
  print(context, options.json === true ? json(letter) : deadLetterText(letter));
  return exitCodes.ok;
}

async function replayLetters(
  context: CommandContext<DeadLetterSettings>,
  ids: readonly string[],
  options: ReplayOptions,
): Promise<number> {
  const { dryRun: isDryRun, rate } = options;
  const { dryRun, ...request } = parseRequest(replayRequestSchema, {
    ...selectionOf(ids, options),
    ...given({ dryRun: isDryRun, ratePerSecond: rate }),
  });
  if (dryRun) {
    const plan = await withService(context, options, false, (service) => service.plan(request, {}));
    print(context, options.json === true ? json(plan) : planText(plan));
    return exitCodes.ok;
  }
  const result = await withService(context, options, true, (service) =>
    service.replay(request, { actor: operatorName(options.actor) }),
  );
  print(context, options.json === true ? json(result) : operatedText('replayed', result));
  return exitCodes.ok;
}

async function discardLetters(
  context: CommandContext<DeadLetterSettings>,
  ids: readonly string[],
  options: OperateOptions,
): Promise<number> {
  const request = parseRequest(discardRequestSchema, selectionOf(ids, options));
  const result = await withService(context, options, false, (service) =>
    service.discard(request, { actor: operatorName(options.actor) }),
  );
  print(context, options.json === true ? json(result) : operatedText('discarded', result));
  return exitCodes.ok;
}

async function withService<Result>(
  context: CommandContext<DeadLetterSettings>,
  options: StoreOptions,
  replays: boolean,
  work: (service: DeadLetterService) => Promise<Result>,
): Promise<Result> {
  const logger = createLogger({
    level: 'warn',
    pretty: true,
    destination: { write: (line) => tell(context, line.trimEnd()) },
  });
  const { withDeadLetterService } = await import('./command-dead-letters.ts');
  return withDeadLetterService(await context.installation(options), { logger, replays }, work);
}

/** The filters as the API names them. */
function filterOf(options: FilterOptions): Readonly<Record<string, unknown>> {
  const { stage, pipeline, owner, team, customer, feature, batch, errorCode, from, to, discarded } = options;
  return given({
    stage,
    pipeline,
    owner,
    team,
    customer,
    feature,
    batch,
    error_code: errorCode,
    from,
    to,
    discarded,
  });
}

/** Ids, filters, or both; the filter of everything only when that is asked for. */
function selectionOf(ids: readonly string[], options: OperateOptions): Readonly<Record<string, unknown>> {
  const { all, max, reason } = options;
  const filter = filterOf(options);
  const isFiltered = all === true || Object.keys(filter).length > 0;
  return {
    ...given({ max, reason }),
    ...(ids.length === 0 ? {} : { ids }),
    ...(isFiltered ? { filter } : {}),
  };
}

function given(options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function json(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}
