import { type Command, Option } from 'commander';
import { invalidRequest, parseRequest } from '../../../http/request-faults.ts';
import { AppError } from '../../../kernel/app-error.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import {
  type Bind,
  type CommandContext,
  exitCodes,
  print,
  type StoreOptions,
  withStoreOptions,
} from '../../../terminal/command-context.ts';
import { operatorName } from '../../../terminal/operator-name.ts';
import {
  decimalNumber,
  nameOption,
  namesOption,
  wholeNumberOption,
} from '../../../terminal/option-values.ts';
import { batchDocument } from '../batch-document.ts';
import { deadlineOption, priorityOption } from '../batch-options.ts';
import type { Batch } from '../batch.ts';
import { batchErrors } from '../batch-errors.ts';
import { batchModes, shareScopes } from '../batch-settings.ts';
import { capActions } from '../caps/cap-settings.ts';
import { batchText } from '../batch-text.ts';
import type { BatchIntake } from './batch-intake.ts';
import type { IntakeCommandSettings } from './command-intake.ts';
import { maxChecks } from '../done/quality-settings.ts';
import { estimateText } from './estimate-text.ts';
import { cellTypes } from './input/cell-types.ts';
import { inputFormats } from './input/input-records.ts';
import { lineForms } from './input/jsonl-records.ts';
import { discardBatchSchema, startBatchSchema } from './intake-requests.ts';
import { type LoadDefinitions, submitBatch, type SubmitOptions } from './submit-batch.ts';

interface NamedOptions extends StoreOptions {
  readonly team?: string;
  readonly reason?: string;
  readonly actor?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

const forceHelp = 'start it although it is expected to use more than what a budget has left';

type IntakeContext = CommandContext<IntakeCommandSettings>;

/** The commands by which batches come in. */
export function addIntakeCommands(
  batch: Command,
  context: IntakeContext,
  bind: Bind,
  loadDefinitions: LoadDefinitions,
): void {
  const submit = withStoreOptions(batch.command('submit'))
    .description(
      'check every item of a file, say what they are expected to cost, and start them as a batch; submitted again, the batch of the name is shown as it is',
    )
    .argument('<file>', 'JSON Lines, CSV or Parquet (.gz for the first two); - reads standard input')
    .requiredOption('--pipeline <name>', 'the pipeline that works on the items', nameOption)
    .requiredOption('--team <name>', 'who pays', nameOption)
    .requiredOption('--customer <name>', 'on whose behalf, where an item names no other', nameOption)
    .requiredOption('--feature <name>', 'the product feature that asks', nameOption)
    .option('--name <name>', 'the batch; the name of the file without it', nameOption)
    .option('--label <key=value>', 'a free label; repeat it for more', namesOption)
    .option('--stages <file>', 'JavaScript file with the stages: items are checked against their schemas')
    .option(
      '--type <type>',
      "of the items' messages; without it the one that the pipeline takes in",
      nameOption,
    )
    .option('--schema-version <n>', 'of their data; the newest without it', wholeNumberOption(1, 1_000_000))
    .addOption(new Option('--mode <mode>', 'how calls are made').choices([...batchModes]))
    .addOption(
      new Option('--share <scope>', 'whose identical requests are answered once').choices([...shareScopes]),
    )
    .option(
      '--cap-tokens <n>',
      'the most estimated tokens of an item; --cap-action says what becomes of larger ones',
      wholeNumberOption(1, 100_000_000),
    )
    .option(
      '--cap-percentile <percent>',
      'instead: the size that so many percent of the items do not exceed',
      decimalNumber,
    )
    .addOption(new Option('--cap-action <action>', 'what becomes of larger items').choices([...capActions]))
    .option('--cap-member <pointer>', 'with "truncate": the text that is cut, as in /text')
    .option(
      '--deadline <time>',
      'when items that have not ended expire: 6h, 2d, or 2026-03-01T12:00:00Z',
      deadlineOption,
    )
    .option(
      '--threshold <percent>',
      'succeeds when this share of the items does; 100 without it',
      decimalNumber,
    )
    .option(
      '--notify <webhook>',
      'a webhook of the team, or of the configuration, that is told when the batch ends or halts',
      nameOption,
    )
    .option('--validator <name>', 'checks a sample of the output before the batch succeeds', nameOption)
    .option(
      '--sample-size <n>',
      'items that it checks, at most; 100 without it',
      wholeNumberOption(1, maxChecks),
    )
    .option('--sample-share <percent>', 'of the items that succeeded, at most; 100 without it', decimalNumber)
    .option('--stratify <by>', 'customer, team or label:NAME: each group has its part of the sample')
    .option('--minimum <percent>', 'of the checked items that have to pass; 100 without it', decimalNumber)
    .option(
      '--priority <n>',
      'of two batches that could go on the higher one does; 0 without it',
      priorityOption,
    )
    .option(
      '--skip-invalid',
      'leave out items that cannot be read; they count against --threshold. Without it they refuse the whole input',
    );
  addInputOptions(submit)
    .option(
      '--dry-run',
      'start nothing and leave nothing: check the items and say what they are expected to cost',
    )
    .option('--force', forceHelp)
    .option('--wait', 'show the progress until the batch has ended; the exit code is 0 when it succeeded')
    .option('--reason <text>', 'why; it stands in the audit')
    .option('--actor <name>', 'who, for the audit; the account at this machine without it')
    .option('--json', 'one JSON object, as the API answers')
    .action(
      bind((file: string, options: SubmitOptions) => submitBatch(context, file, options, loadDefinitions)),
    );
  addNamed(batch.command('estimate'))
    .description('what a batch is expected to cost whose items are all there')
    .action(bind((name: string, options: NamedOptions) => estimate(context, name, options)));
  addChange(batch.command('start'))
    .description('start a batch whose items are all there')
    .option('--force', forceHelp)
    .action(bind((name: string, options: NamedOptions) => start(context, name, options)));
  addChange(batch.command('discard'))
    .description('remove a batch that was not started, with its items')
    .action(bind((name: string, options: NamedOptions) => discard(context, name, options)));
}

function addInputOptions(command: Command): Command {
  const column = 'the column with';
  return command
    .addOption(new Option('--format <format>', 'where the name does not say it').choices([...inputFormats]))
    .addOption(
      new Option('--form <form>', 'JSON Lines: a line is an item with "data", or the bare data').choices([
        ...lineForms,
      ]),
    )
    .addOption(
      new Option('--types <types>', 'CSV: cells are text, or JSON where they are').choices([...cellTypes]),
    )
    .option('--id-column <name>', `CSV and Parquet: ${column} the ids of the items`, nameOption)
    .option('--customer-column <name>', `${column} their customers`, nameOption)
    .option('--team-column <name>', `${column} their teams`, nameOption)
    .option('--omit <name>', 'a column that is no data; repeat it for more', namesOption);
}

function addNamed(command: Command): Command {
  return withStoreOptions(command)
    .argument('<batch>', 'the name or the id of the batch')
    .option('--team <name>', 'its team, where several have a batch of the name', nameOption)
    .option('--json', 'one JSON object, as the API answers');
}

function addChange(command: Command): Command {
  return addNamed(command)
    .option('--reason <text>', 'why; it stands in the audit')
    .option('--actor <name>', 'who, for the audit; the account at this machine without it');
}

async function estimate(context: IntakeContext, name: string, options: NamedOptions): Promise<number> {
  const found = await withIntake(context, name, options, (intake, id) =>
    intake.estimate(id, { team: options.team }),
  );
  print(context, options.json === true ? json(found) : estimateText(found));
  return exitCodes.ok;
}

async function start(context: IntakeContext, name: string, options: NamedOptions): Promise<number> {
  const { reason } = parseRequest(startBatchSchema, given(options.reason));
  const { force } = options;
  const batch = await withIntake(context, name, options, (intake, id) =>
    intake.start(id, reason, { actor: operatorName(options.actor), team: options.team }, { force }),
  );
  const document = batchDocument(batch);
  print(context, options.json === true ? json(document) : batchText(document));
  return exitCodes.ok;
}

async function discard(context: IntakeContext, name: string, options: NamedOptions): Promise<number> {
  const { reason } = parseRequest(discardBatchSchema, given(options.reason));
  const batch = await withIntake(context, name, options, (intake, id) =>
    intake.discard(id, reason, { actor: operatorName(options.actor), team: options.team }),
  );
  const text = `The batch "${batch.origin.batch}" is removed, with its items. Its name is free again.`;
  print(context, options.json === true ? json(batchDocument(batch)) : text);
  return exitCodes.ok;
}

async function withIntake<Result>(
  context: IntakeContext,
  name: string,
  options: NamedOptions,
  work: (intake: BatchIntake, id: Uuid) => Promise<Result>,
): Promise<Result> {
  const [{ withBatchIntake }, { BatchStore }] = await Promise.all([
    import('./command-intake.ts'),
    import('../run/batch-store.ts'),
  ]);
  return await withBatchIntake(
    await context.installation(options),
    undefined,
    async (intake, { database }) => {
      const found = await new BatchStore(database).find(name, { team: options.team });
      return await work(intake, onlyOne(name, found).id);
    },
  );
}

/** Throws MILLRACE_BATCH_NOT_FOUND, and MILLRACE_REQUEST_INVALID for a name that two teams have. */
function onlyOne(name: string, [batch, other]: readonly Batch[]): Batch {
  if (batch === undefined) {
    throw new AppError(batchErrors.MILLRACE_BATCH_NOT_FOUND, `There is no batch ${JSON.stringify(name)}.`);
  }
  if (other === undefined) return batch;
  throw invalidRequest([{ field: 'team', problem: 'is missing: batches of several teams have the name' }]);
}

function given(reason: string | undefined): { readonly reason?: string } {
  return reason === undefined ? {} : { reason };
}

function json(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}
