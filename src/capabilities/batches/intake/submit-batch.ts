import type { StageDefinition } from '../../../engine/pipeline/stage-definition.ts';
import { parseRequest } from '../../../http/request-faults.ts';
import { AppError } from '../../../kernel/app-error.ts';
import type { Clock } from '../../../kernel/clock.ts';
import {
  type CommandContext,
  exitCodes,
  print,
  type StoreOptions,
  tell,
} from '../../../terminal/command-context.ts';
import { operatorName } from '../../../terminal/operator-name.ts';
import { type ShutdownSignals, watchShutdownSignals } from '../../../terminal/shutdown-signals.ts';
import { formatCounted } from '../../../terminal/text-table.ts';
import { type BatchState, isOver } from '../batch.ts';
import { batchDocument } from '../batch-document.ts';
import { batchErrors } from '../batch-errors.ts';
import { deadlineMsOf, givenDeadline } from '../batch-options.ts';
import { batchText } from '../batch-text.ts';
import type { BatchIntake } from './batch-intake.ts';
import { batchProgress } from './batch-progress.ts';
import type { TakenUpload } from './batch-uploads.ts';
import type { IntakeCommandSettings } from './command-intake.ts';
import type { BatchEstimate } from './estimate-document.ts';
import { estimateText } from './estimate-text.ts';
import type { BatchInput, InputFormat } from './input/input-records.ts';
import { bareForm } from './input/jsonl-records.ts';
import { type InputFile, openInput } from './input-file.ts';
import type { IncomingBatch } from './intake-ledger.ts';
import {
  type CreateBatchRequest,
  createBatchSchema,
  type UploadQuery,
  uploadQuerySchema,
} from './intake-requests.ts';

/** Reads the stages that a compiled file exports. */
export type LoadDefinitions = (file: string) => Promise<readonly StageDefinition[]>;

/** What `millrace batch submit` is given. */
export interface SubmitOptions extends StoreOptions {
  readonly pipeline: string;
  readonly team: string;
  readonly customer: string;
  readonly feature: string;
  readonly name?: string;
  readonly label?: readonly string[];
  readonly stages?: string;
  readonly type?: string;
  readonly schemaVersion?: number;
  readonly mode?: string;
  /** A moment, or a time from now on. */
  readonly deadline?: string;
  readonly threshold?: number;
  readonly validator?: string;
  readonly sampleSize?: number;
  readonly sampleShare?: number;
  readonly stratify?: string;
  readonly minimum?: number;
  readonly notify?: string;
  readonly priority?: number;
  readonly share?: string;
  readonly capTokens?: number;
  readonly capPercentile?: number;
  readonly capAction?: string;
  readonly capMember?: string;
  readonly skipInvalid?: boolean;
  readonly format?: InputFormat;
  readonly form?: string;
  readonly types?: string;
  readonly idColumn?: string;
  readonly customerColumn?: string;
  readonly teamColumn?: string;
  readonly omit?: readonly string[];
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly wait?: boolean;
  readonly reason?: string;
  readonly actor?: string;
  readonly json?: boolean;
}

type SubmitContext = CommandContext<IntakeCommandSettings>;

/** What is done with one input, while the ledger is open. */
interface Submission {
  readonly context: SubmitContext;
  readonly options: SubmitOptions;
  readonly intake: BatchIntake;
  readonly clock: Clock;
  /** Whether no host can work on the batch while the command runs. */
  readonly isAlone: boolean;
  readonly input: InputFile;
  readonly actor: string;
}

/** Takes a file in, says what it is expected to cost, starts it and, if asked to, waits for its end. */
export async function submitBatch(
  context: SubmitContext,
  file: string,
  options: SubmitOptions,
  loadDefinitions: LoadDefinitions,
): Promise<number> {
  const definitions = options.stages === undefined ? undefined : await loadDefinitions(options.stages);
  const input = await openInput(file, options.format);
  try {
    const { withBatchIntake } = await import('./command-intake.ts');
    return await withBatchIntake(
      await context.installation(options),
      definitions,
      async (intake, { clock, isAlone }) =>
        await submit({ context, options, intake, clock, isAlone, input, actor: operatorName(options.actor) }),
    );
  } finally {
    await input.close();
  }
}

async function submit(submission: Submission): Promise<number> {
  const { context, options, intake, clock, input, actor } = submission;
  const query = queryOf(options);
  const request = requestOf(options, input, clock);
  if (options.dryRun === true) return await dryRun(submission, request, query);
  const deadlineMs = deadlineMsOf(options.deadline);
  const { confirm } = input;
  const before = await intake.submitted(request, inputOf(input, query), { actor }, { deadlineMs, confirm });
  if (before !== undefined) {
    tell(
      context,
      `${before.isSameInput === true ? 'The batch' : 'A batch of this name (whether of the same input is not known)'} was submitted before; it is shown as it is, and nothing is sent again.`,
    );
    return await finish(submission, before.batch);
  }
  if (options.wait === true) requireHost(submission);
  const { batch, isNew } = await intake.create(request, { actor }, { deadlineMs });
  const taken = await intake
    .upload(batch.id, inputOf(input, query), {}, confirm)
    .catch(async (error: unknown) => {
      // What cannot be read leaves nothing: the name is free for the corrected input, however it is asked for then.
      if (isNew && isOfInput(error))
        await intake.discard(batch.id, 'the input could not be taken', { actor });
      showInputFaults(context, error);
      return undefined;
    });
  if (taken === undefined) return exitCodes.failed;
  showSkipped(context, taken);
  if (options.json !== true) showEstimate(submission, await intake.estimate(batch.id, {}));
  const { reason = '', force } = options;
  return await finish(submission, await intake.start(batch.id, reason, { actor }, { force }));
}

async function dryRun(
  submission: Submission,
  request: CreateBatchRequest,
  query: UploadQuery,
): Promise<number> {
  const { context, intake, input, actor } = submission;
  const run = await intake
    .dryRun(request, inputOf(input, query), { actor }, input.confirm)
    .catch((error: unknown) => {
      showInputFaults(context, error);
      return undefined;
    });
  if (run === undefined) return exitCodes.failed;
  showSkipped(context, run.taken);
  showEstimate(submission, run.estimate);
  tell(context, 'Nothing was started, and nothing is left of the dry run.');
  if (run.existing !== undefined)
    tell(context, `There is a batch of this name (${run.existing.state}); it is as it was, with its items.`);
  return exitCodes.ok;
}

function inputOf({ format, encoding, bytes, path }: InputFile, query: UploadQuery): BatchInput {
  return { format, encoding, query, bytes, ...(path === undefined || format !== 'parquet' ? {} : { path }) };
}

/** Shows what is wrong with an input, and throws what is something else. */
function showInputFaults(context: SubmitContext, error: unknown): void {
  if (!isInputFault(error)) throw error;
  showFaults(context, error.faults, error.message);
}

/** Shows the batch, after waiting for its end if asked to. */
async function finish(submission: Submission, batch: IncomingBatch): Promise<number> {
  const { context, options } = submission;
  const signals = options.wait === true ? watchShutdownSignals(() => undefined) : undefined;
  let ended = batch;
  try {
    if (signals !== undefined) ended = await waited(submission, batch, signals);
  } finally {
    signals?.release();
  }
  if (signals?.signal.aborted === true && !isOver(ended.state)) {
    const { batch: name, team } = ended.origin;
    tell(
      context,
      `The batch goes on. See how far it is: millrace batch show ${JSON.stringify(name)} --team ${JSON.stringify(team)}.`,
    );
    return signals.exitCode();
  }
  const document = batchDocument(ended);
  print(context, options.json === true ? JSON.stringify(document, undefined, 2) : batchText(document));
  if (isOver(ended.state) && ended.state !== 'succeeded')
    tell(context, `It is over, and it is ${ended.state}. ${howToGoOn(ended)}`);
  const isGood = ended.state === 'succeeded' || (options.wait !== true && !isOver(ended.state));
  return isGood ? exitCodes.ok : exitCodes.failed;
}

function howToGoOn({ origin: { batch: name, team } }: IncomingBatch): string {
  return `Items that did not succeed run again with: millrace batch retry ${JSON.stringify(name)} --team ${JSON.stringify(team)} --reason "…". Or submit the input under another name (--name).`;
}

/** Until it has ended, or stands still until somebody does something, or a signal comes. */
async function waited(
  submission: Submission,
  batch: IncomingBatch,
  { signal }: ShutdownSignals,
): Promise<IncomingBatch> {
  const { context, intake, clock } = submission;
  const progress = batchProgress(context.stderr);
  let now = batch;
  try {
    for (;;) {
      progress.show(now, clock.monotonicMs());
      if (isOver(now.state) || standsStill(now.state) || signal.aborted) return now;
      requireHost(submission);
      await clock.sleep(progress.intervalMs, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
      now = await intake.find(batch.id, {});
    }
  } finally {
    progress.end();
  }
}

/** Throws MILLRACE_BATCH_NO_HOST where nothing would work on the batch while the command waits for its end. */
function requireHost({ isAlone }: Submission): void {
  if (!isAlone) return;
  throw new AppError(
    batchErrors.MILLRACE_BATCH_NO_HOST,
    'No host runs on this installation, so that --wait would never end.',
  );
}

function standsStill(state: BatchState): boolean {
  return state === 'halted' || state === 'paused' || state === 'receiving';
}

function requestOf(options: SubmitOptions, input: InputFile, clock: Clock): CreateBatchRequest {
  const { pipeline, type, schemaVersion: version, team, customer, feature, label = [], priority } = options;
  const { mode, share, threshold, skipInvalid, deadline } = options;
  const { capTokens, capPercentile, capAction: action, capMember: member } = options;
  const caps = present({ inputTokens: capTokens, percentile: capPercentile, action, member });
  const settings = present({
    mode,
    share,
    caps: Object.keys(caps).length === 0 ? undefined : caps,
    ...(threshold === undefined ? {} : { success: { threshold } }),
    quality: qualityOf(options),
    ...(options.notify === undefined ? {} : { notify: { webhook: options.notify } }),
    ...(skipInvalid === true ? { onInvalid: 'skip' } : {}),
  });
  return parseRequest(
    createBatchSchema,
    present({
      name: options.name ?? input.name,
      team,
      customer,
      feature,
      labels: label.length === 0 ? undefined : Object.fromEntries(label.map((text) => pairOf(text))),
      pipeline,
      type,
      version,
      settings,
      priority,
      deadline: givenDeadline(deadline, clock.now()),
    }),
  );
}

/** What is asked of the output; sent too where the validator is missing, to be refused. */
function qualityOf(options: SubmitOptions): Readonly<Record<string, unknown>> | undefined {
  const { validator, sampleSize: size, sampleShare: share, stratify, minimum } = options;
  const sample = present({ size, share, stratify });
  const isAsked = validator !== undefined || minimum !== undefined || Object.keys(sample).length > 0;
  return isAsked ? present({ validator, sample, minimum }) : undefined;
}

function queryOf(options: SubmitOptions): UploadQuery {
  const { form, types, idColumn, customerColumn, teamColumn, omit } = options;
  const { omit: _, ...query } = parseRequest(
    uploadQuerySchema,
    present({ form, types, idColumn, customerColumn, teamColumn }),
  );
  return { ...query, omit: [...(omit ?? [])] };
}

function pairOf(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function present(values: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

/** Whether the input is what is wrong, and not who else works on the batch, or a store. */
function isOfInput(error: unknown): boolean {
  return (
    error instanceof AppError &&
    (error.code === batchErrors.MILLRACE_BATCH_INPUT_INVALID.code || inputCodes.includes(error.code))
  );
}

const inputCodes: readonly string[] = ['MILLRACE_REQUEST_TOO_LARGE', 'MILLRACE_MEDIA_TYPE_UNSUPPORTED'];

function isInputFault(error: unknown): error is AppError {
  return (
    error instanceof AppError &&
    error.code === batchErrors.MILLRACE_BATCH_INPUT_INVALID.code &&
    error.faults.length > 0
  );
}

function showFaults(context: SubmitContext, faults: AppError['faults'], message: string): void {
  for (const { field, problem } of faults) tell(context, `${field}: ${atTerminal(problem)}`);
  tell(
    context,
    `${batchErrors.MILLRACE_BATCH_INPUT_INVALID.code}: ${message.split(':')[0] ?? message}. Nothing was started.`,
  );
}

/** The option for the parameter of the API that a fault names. */
function atTerminal(problem: string): string {
  return problem.replace(bareForm, '--form bare');
}

function showSkipped(context: SubmitContext, { batch, faults, faultCount }: TakenUpload): void {
  for (const { field, problem } of faults) tell(context, `left out: ${field}: ${atTerminal(problem)}`);
  if (faultCount > 0)
    tell(context, `${formatCounted(batch.ended.skipped, 'item is', 'items are')} left out.`);
}

function showEstimate({ context, options }: Submission, estimate: BatchEstimate): void {
  print(
    context,
    options.json === true ? JSON.stringify(estimate, undefined, 2) : `${estimateText(estimate)}\n`,
  );
}
