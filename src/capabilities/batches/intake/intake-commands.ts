import { type Command, InvalidArgumentError, Option } from 'commander';
import type { StageDefinition } from '../../../engine/pipeline/stage-definition.ts';
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
import {
  decimalNumber,
  nameOption,
  namesOption,
  wholeNumberOption,
} from '../../../terminal/option-values.ts';
import { batchId } from '../batch.ts';
import { batchDocument } from '../batch-document.ts';
import { batchModes } from '../batch-settings.ts';
import { batchText } from '../batch-text.ts';
import type { BatchIntake } from './batch-intake.ts';
import type { IntakeCommandSettings } from './command-intake.ts';
import { estimateText } from './estimate-text.ts';
import { cellTypes } from './input/csv-records.ts';
import { inputFormats } from './input/input-records.ts';
import { lineForms } from './input/jsonl-records.ts';
import { discardBatchSchema, startBatchSchema } from './intake-requests.ts';
import { submitBatch, type SubmitOptions } from './submit-batch.ts';

/** Reads the stages that a compiled file exports. */
export type LoadDefinitions = (file: string) => Promise<readonly StageDefinition[]>;

interface NamedOptions extends StoreOptions {
  readonly team: string;
  readonly reason?: string;
  readonly actor?: string;
  readonly json?: boolean;
}

type IntakeContext = CommandContext<IntakeCommandSettings>;

const durationPattern = /^(\d{1,6})(m|h|d)$/;
const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

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
      '--priority <n>',
      'of two batches that could go on the higher one does; 0 without it',
      signedNumber,
    )
    .option('--skip-invalid', 'leave out items that cannot be read; without it they refuse the whole input');
  addInputOptions(submit)
    .option(
      '--dry-run',
      'start nothing and leave nothing: check the items and say what they are expected to cost',
    )
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
    .argument('<name>', 'the name of the batch')
    .requiredOption('--team <name>', 'whose it is', nameOption)
    .option('--json', 'one JSON object, as the API answers');
}

function addChange(command: Command): Command {
  return addNamed(command)
    .option('--reason <text>', 'why; it stands in the audit')
    .option('--actor <name>', 'who, for the audit; the account at this machine without it');
}

async function estimate(context: IntakeContext, name: string, options: NamedOptions): Promise<number> {
  const found = await withIntake(context, options, (intake) =>
    intake.estimate(batchId(options.team, name), {}),
  );
  print(context, options.json === true ? json(found) : estimateText(found));
  return exitCodes.ok;
}

async function start(context: IntakeContext, name: string, options: NamedOptions): Promise<number> {
  const { reason } = parseRequest(startBatchSchema, given(options.reason));
  const batch = await withIntake(context, options, (intake) =>
    intake.start(batchId(options.team, name), reason, { actor: operatorName(options.actor) }),
  );
  const document = batchDocument(batch);
  print(context, options.json === true ? json(document) : batchText(document));
  return exitCodes.ok;
}

async function discard(context: IntakeContext, name: string, options: NamedOptions): Promise<number> {
  const { reason } = parseRequest(discardBatchSchema, given(options.reason));
  const batch = await withIntake(context, options, (intake) =>
    intake.discard(batchId(options.team, name), reason, { actor: operatorName(options.actor) }),
  );
  const text = `The batch "${name}" is removed, with its items. Its name is free again.`;
  print(context, options.json === true ? json(batchDocument(batch)) : text);
  return exitCodes.ok;
}

async function withIntake<Result>(
  context: IntakeContext,
  options: StoreOptions,
  work: (intake: BatchIntake) => Promise<Result>,
): Promise<Result> {
  const { withBatchIntake } = await import('./command-intake.ts');
  return await withBatchIntake(await context.installation(options), undefined, work);
}

function given(reason: string | undefined): { readonly reason?: string } {
  return reason === undefined ? {} : { reason };
}

/** A time from now on, or a moment as it is written. */
function deadlineOption(text: string): string {
  const match = durationPattern.exec(text);
  const unit = match?.[2];
  if (match === null || unit === undefined || !(unit in unitMs)) return text;
  return `+${Number(match[1]) * unitMs[unit as keyof typeof unitMs]}`;
}

function signedNumber(text: string): number {
  if (/^-?\d{1,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It is a whole number from -1000 to 1000.');
}

function json(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}
