import { Readable } from 'node:stream';
import { type Command, Option } from 'commander';
import { parseRequest } from '../../http/request-faults.ts';
import type { Operator, Viewer } from '../../http/operator.ts';
import {
  type Bind,
  type CommandContext,
  exitCodes,
  print,
  type StoreOptions,
  tell,
  withStoreOptions,
} from '../../terminal/command-context.ts';
import { refuseExisting, writeWhole } from '../../terminal/output-file.ts';
import { writePieces } from '../../terminal/output-streams.ts';
import { formatCounted } from '../../terminal/text-table.ts';
import { operatorName } from '../../terminal/operator-name.ts';
import { nameOption, namesOption } from '../../terminal/option-values.ts';
import { batchStates, checkStates, itemStates } from './batch.ts';
import type { BatchDocument } from './batch-document.ts';
import { deadlineOption, givenDeadline, priorityOption } from './batch-options.ts';
import { batchText } from './batch-text.ts';
import { chunksText, itemsText, itemsUnderWay, listText } from './batches-text.ts';
import { type OutputFormat, outputFormatNames } from './done/output-formats.ts';
import type { BatchService } from './run/batch-service.ts';
import {
  batchOrderSchema,
  changeBatchSchema,
  listBatchesSchema,
  listChunksSchema,
  listItemsSchema,
  maxListed,
} from './run/run-requests.ts';

interface BatchOptions extends StoreOptions {
  readonly team?: string;
  readonly json?: boolean;
}

interface ListOptions extends BatchOptions {
  readonly state?: readonly string[];
  readonly pipeline?: readonly string[];
  readonly check?: readonly string[];
  readonly limit?: string;
  readonly after?: string;
}

interface OrderOptions extends BatchOptions {
  readonly reason?: string;
  readonly actor?: string;
}

interface ChangeOptions extends OrderOptions {
  readonly priority?: number;
  readonly deadline?: string;
}

interface OutputOptions extends BatchOptions {
  readonly partial?: boolean;
  readonly format: OutputFormat;
  readonly output?: string;
  readonly force?: boolean;
}

const orders = {
  pause: 'begin no further chunk; what is under way goes on to its end',
  resume: 'let a batch go on that is paused, or that halted',
  cancel: 'end what has not ended; what has stays as it is',
  retry:
    'run items again that failed, expired or were cancelled, and check output anew that was not good enough; what was paid for is used again',
} as const;

/** The commands that watch and steer batches. */
export function addRunCommands(batch: Command, context: CommandContext, bind: Bind): void {
  addPage(withStoreOptions(batch.command('list')))
    .description('batches, newest first')
    .option('--state <state>', `only in this state (${batchStates.join(', ')}); repeatable`, namesOption)
    .option('--pipeline <name>', 'only of this pipeline; repeatable', namesOption)
    .action(bind((options: ListOptions) => list(context, options)));
  addBatch(batch.command('show'))
    .description('a batch, and how far its chunks have come')
    .action(bind((name: string, options: BatchOptions) => show(context, name, options)));
  addPage(addBatch(batch.command('items')))
    .description('the items of a batch in their order, with their errors and costs')
    .option('--state <state>', `only in this state (${itemStates.join(', ')}); repeatable`, namesOption)
    .option('--check <state>', `only checked so (${checkStates.join(', ')}); repeatable`, namesOption)
    .action(bind((name: string, options: ListOptions) => items(context, name, options)));
  for (const [order, description] of Object.entries(orders)) {
    addOrder(batch.command(order))
      .description(description)
      .action(
        bind((name: string, options: OrderOptions) =>
          operate(context, name, options, order as keyof typeof orders),
        ),
      );
  }
  addOrder(batch.command('change'))
    .description('give a batch another priority or deadline while it runs')
    .option('--priority <n>', 'of two batches that could go on the higher one does', priorityOption)
    .option('--deadline <time>', '6h or 2d from now, 2026-03-01T12:00:00Z, or none', deadlineOption)
    .action(bind((name: string, options: ChangeOptions) => change(context, name, options)));
  addBatch(batch.command('output'))
    .description('the output of a batch in the order of its input: one JSON object a line, or Parquet')
    .option('--partial', 'what has ended so far, while the batch is not over')
    .addOption(
      new Option('--format <format>', 'form of the output').choices(outputFormatNames).default('jsonl'),
    )
    .option('--output <file>', 'file to write; standard output without it')
    .option('--force', 'replace the file if there is one')
    .action(bind((name: string, options: OutputOptions) => output(context, name, options)));
  addBatch(batch.command('failed'))
    .description('items that did not succeed, as they were sent, with why: ready to be submitted again')
    .action(bind((name: string, options: BatchOptions) => failed(context, name, options)));
}

function addBatch(command: Command): Command {
  return withStoreOptions(command)
    .argument('<batch>', 'the name or the id of the batch')
    .option('--team <name>', 'its team, where several have a batch of the name', nameOption)
    .option('--json', 'one JSON object, as the API answers');
}

function addPage(command: Command): Command {
  if (!command.options.some(({ long }) => long === '--team')) {
    command
      .option('--team <name>', 'only of this team', nameOption)
      .option('--json', 'one JSON object, as the API answers');
  }
  return command
    .option('--limit <n>', `the most that are shown, up to ${maxListed}`)
    .option('--after <place>', 'go on where an earlier list ended');
}

function addOrder(command: Command): Command {
  return addBatch(command)
    .option('--reason <text>', 'why (required); it stands in the audit')
    .option('--actor <name>', 'who, for the audit; the account at this machine without it');
}

async function list(context: CommandContext, options: ListOptions): Promise<number> {
  const { state, pipeline, limit, after } = options;
  const { filter, ...page } = parseRequest(listBatchesSchema, given({ state, pipeline, limit, after }));
  const found = await withService(context, options, (service) =>
    service.list(filter, viewerOf(options), page),
  );
  print(context, options.json === true ? json(found) : listText(found));
  return exitCodes.ok;
}

async function show(context: CommandContext, name: string, options: BatchOptions): Promise<number> {
  const page = parseRequest(listChunksSchema, { limit: String(maxListed) });
  const { batch, chunks } = await withService(context, options, async (service) => {
    const shown = await service.show(name, viewerOf(options));
    return { batch: shown, chunks: await service.chunks(shown.id, viewerOf(options), page) };
  });
  if (options.json === true) print(context, json({ ...batch, chunkRanges: chunks.chunks }));
  else print(context, `${batchText(batch)}\n${chunksText(chunks)}`);
  return exitCodes.ok;
}

async function items(context: CommandContext, name: string, options: ListOptions): Promise<number> {
  const { state, check, limit, after } = options;
  const page = parseRequest(listItemsSchema, given({ state, check, limit, after }));
  const found = await withService(context, options, (service) =>
    service.items(name, viewerOf(options), { ...page, maySeeData: true }),
  );
  print(context, options.json === true ? json(found) : itemsText(found));
  return exitCodes.ok;
}

async function operate(
  context: CommandContext,
  name: string,
  options: OrderOptions,
  order: keyof typeof orders,
): Promise<number> {
  const { reason } = parseRequest(batchOrderSchema, given({ reason: options.reason }));
  if (order === 'retry') {
    const { batch, items: count } = await withService(context, options, (service) =>
      service.retry(name, reason, operatorOf(options)),
    );
    const done =
      count === 0
        ? 'No item runs again; the output is checked anew.'
        : `${formatCounted(count, 'item runs', 'items run')} again.`;
    if (options.json !== true) tell(context, done);
    return showBatch(context, batch, options);
  }
  const { batch, underWay } = await withService(context, options, async (service) => {
    const steered = await service[order](name, reason, operatorOf(options));
    if (order !== 'pause') return { batch: steered, underWay: 0 };
    const page = parseRequest(listChunksSchema, { limit: String(maxListed) });
    const { chunks } = await service.chunks(steered.id, viewerOf(options), page);
    return { batch: steered, underWay: itemsUnderWay(chunks) };
  });
  if (options.json !== true && underWay > 0) {
    tell(
      context,
      `${formatCounted(underWay, 'item was begun and runs to its end', 'items were begun and run to their end')}. To stop their messages too: millrace pause batch ${JSON.stringify(batch.name)} --reason "…".`,
    );
  }
  return showBatch(context, batch, options);
}

async function change(context: CommandContext, name: string, options: ChangeOptions): Promise<number> {
  const { reason, priority, deadline } = options;
  const batch = await withService(context, options, (service, now) => {
    const request = given({
      reason,
      priority,
      deadline: deadline === 'none' ? null : givenDeadline(deadline, now),
    });
    return service.change(name, parseRequest(changeBatchSchema, request), operatorOf(options));
  });
  return showBatch(context, batch, options);
}

async function output(context: CommandContext, name: string, options: OutputOptions): Promise<number> {
  const { partial: isPartial = false, format, output: file, force = false } = options;
  if (file !== undefined && !force) await refuseExisting(file);
  await withService(context, options, async (service) => {
    const { pieces } = await service.output(name, viewerOf(options), { isPartial, format });
    if (file === undefined) await writePieces(context.stdout, pieces);
    else await writeWhole(Readable.from(pieces, { objectMode: false }), file);
  });
  return exitCodes.ok;
}

async function failed(context: CommandContext, name: string, options: BatchOptions): Promise<number> {
  await withService(context, options, async (service) => {
    const { pieces } = await service.failedItems(name, viewerOf(options));
    await writePieces(context.stdout, pieces);
  });
  return exitCodes.ok;
}

function showBatch(context: CommandContext, batch: BatchDocument, options: BatchOptions): number {
  print(context, options.json === true ? json(batch) : batchText(batch));
  return exitCodes.ok;
}

async function withService<Result>(
  context: CommandContext,
  options: StoreOptions,
  work: (service: BatchService, now: Date) => Promise<Result>,
): Promise<Result> {
  const { withBatchService } = await import('./run/command-batches.ts');
  return await withBatchService(await context.installation(options), (service, { clock }) =>
    work(service, clock.now()),
  );
}

function viewerOf({ team }: BatchOptions): Viewer {
  return { team };
}

function operatorOf({ team, actor }: OrderOptions): Operator {
  return { actor: operatorName(actor), team };
}

function given(values: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function json(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}
