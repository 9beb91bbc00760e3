import { type Command, Option } from 'commander';
import type { StageDefinition } from '../../engine/pipeline/stage-definition.ts';
import { anyone } from '../../http/api-key-identity.ts';
import { invalidRequest, parsedJson, parseRequest } from '../../http/request-faults.ts';
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
import { operatorName } from '../../terminal/operator-name.ts';
import { nameOption, namesOption, wholeNumberOption } from '../../terminal/option-values.ts';
import type { RequestCommandSettings } from './command-requests.ts';
import { readIdempotencyKey } from './intake/idempotency-key.ts';
import { submitRequestSchema } from './intake/submit-requests.ts';
import { requestStates } from './request.ts';
import type { RequestService } from './request-service.ts';
import { requestListText, requestText } from './requests-text.ts';
import { cancelRequestSchema, listRequestsSchema, maxListed } from './state/list-requests.ts';
import type { RequestDocument } from './state/request-document.ts';

interface ShowOptions extends StoreOptions {
  readonly json?: boolean;
}

interface SubmitOptions extends ShowOptions {
  readonly stages: string;
  readonly pipeline: string;
  readonly team: string;
  readonly customer: string;
  readonly feature: string;
  readonly label?: readonly string[];
  readonly input: string;
  readonly type?: string;
  readonly webhook?: string;
  readonly idempotencyKey?: string;
  readonly wait?: number;
}

interface ListOptions extends ShowOptions {
  readonly state?: readonly string[];
  readonly team?: readonly string[];
  readonly customer?: readonly string[];
  readonly feature?: readonly string[];
  readonly pipeline?: readonly string[];
  readonly limit?: string;
  readonly after?: string;
}

interface WaitOptions extends ShowOptions {
  readonly timeout?: number;
}

interface CancelOptions extends ShowOptions {
  readonly reason?: string;
  readonly actor?: string;
}

type Context = CommandContext<RequestCommandSettings>;
/** The stages that a file exports. */
export type LoadDefinitions = (file: string) => Promise<readonly StageDefinition[]>;

const maxWaitSeconds = 86_400;

/** `millrace requests`: what pipelines were asked for. */
export function addRequestsCommand(
  program: Command,
  context: Context,
  bind: Bind,
  loadDefinitions: LoadDefinitions,
): void {
  const requests = program
    .command('requests')
    .description('what pipelines were asked for: submit, show, list, wait, cancel');
  withOutput(requests.command('submit'))
    .description('ask a pipeline for something')
    .requiredOption('--stages <file>', 'JavaScript file with the stages, whose schemas check the data')
    .requiredOption('--pipeline <name>', 'the pipeline', nameOption)
    .requiredOption('--team <name>', 'who pays', nameOption)
    .requiredOption('--customer <name>', 'on whose behalf', nameOption)
    .requiredOption('--feature <name>', 'the product feature that asks', nameOption)
    .requiredOption('--input <json>', "the data of the pipeline's input")
    .option('--label <key=value>', 'a free label; repeat it for more', namesOption)
    .option('--type <type>', 'where the pipeline takes in several types, which one this is', nameOption)
    .option(
      '--webhook <name>',
      'a webhook that is told of its end; `millrace webhooks list` names them',
      nameOption,
    )
    .option('--idempotency-key <key>', 'what is to be done once: submitted again, the same request is shown')
    .option('--wait <seconds>', 'wait so long for its end', wholeNumberOption(0, maxWaitSeconds))
    .action(bind((options: SubmitOptions) => submit(context, options, loadDefinitions)));
  withOutput(requests.command('show'))
    .description('a request: its state, its result, and what it cost so far')
    .argument('<id>', 'its id')
    .action(bind((id: string, options: ShowOptions) => show(context, id, options)));
  withOutput(requests.command('list'))
    .description('requests, newest first')
    .addOption(new Option('--state <state...>', 'in these states').choices([...requestStates]))
    .option('--team <name...>', 'of these teams')
    .option('--customer <name...>', 'of these customers')
    .option('--feature <name...>', 'of these features')
    .option('--pipeline <name...>', 'to these pipelines')
    .option('--limit <n>', `how many at most, up to ${maxListed}; 50 without it`)
    .option('--after <id>', 'the next page, as the one before says it')
    .action(bind((options: ListOptions) => list(context, options)));
  withOutput(requests.command('wait'))
    .description('wait for the end of a request; the exit code says whether it is completed')
    .argument('<id>', 'its id')
    .option('--timeout <seconds>', 'for how long; a day without it', wholeNumberOption(0, maxWaitSeconds))
    .action(bind((id: string, options: WaitOptions) => wait(context, id, options)));
  withOutput(requests.command('cancel'))
    .description('end a request that has not ended: what waits never runs, what runs is aborted')
    .argument('<id>', 'its id')
    .option('--reason <text>', 'why; it stands in the audit')
    .option('--actor <name>', 'who, for the audit; the account at this machine without it')
    .action(bind((id: string, options: CancelOptions) => cancel(context, id, options)));
}

function withOutput(command: Command): Command {
  return withStoreOptions(command).option('--json', 'one JSON object');
}

async function submit(
  context: Context,
  options: SubmitOptions,
  loadDefinitions: LoadDefinitions,
): Promise<number> {
  const { pipeline, team, customer, feature, type, webhook, wait: waitSeconds = 0 } = options;
  const labels = labelsOf(options.label);
  const body = parseRequest(submitRequestSchema, {
    data: parsedJson('input', options.input),
    origin: { team, customer, feature, ...(labels === undefined ? {} : { labels }) },
    ...(type === undefined ? {} : { type }),
    ...(webhook === undefined ? {} : { webhook }),
  });
  const idempotencyKey = readIdempotencyKey(options.idempotencyKey);
  const definitions = await loadDefinitions(options.stages);
  const caller = { ...anyone, name: operatorName(undefined) };
  const document = await withRequests(context, options, definitions, async (service) => {
    const asked = { pipeline, body, idempotencyKey, traceParent: undefined, caller };
    return (await service.submit(asked, { waitMs: waitSeconds * 1000 })).document;
  });
  tellOf(context, document, options);
  return document.state === 'failed' || document.state === 'cancelled' ? exitCodes.failed : exitCodes.ok;
}

async function show(context: Context, id: string, options: ShowOptions): Promise<number> {
  const { document } = await withRequests(context, options, [], (service) =>
    service.show(id, {}, { waitMs: 0 }),
  );
  tellOf(context, document, options);
  return exitCodes.ok;
}

async function list(context: Context, options: ListOptions): Promise<number> {
  const { config: _config, data: _data, json: asJson, ...query } = options;
  const { filter, ...page } = parseRequest(listRequestsSchema, query);
  const found = await withRequests(context, options, [], (service) => service.list(filter, {}, page));
  print(context, asJson === true ? JSON.stringify(found, undefined, 2) : requestListText(found));
  return exitCodes.ok;
}

async function wait(context: Context, id: string, options: WaitOptions): Promise<number> {
  const waitMs = (options.timeout ?? maxWaitSeconds) * 1000;
  const { document, isOver } = await withRequests(context, options, [], (service) =>
    service.show(id, {}, { waitMs }),
  );
  tellOf(context, document, options);
  if (!isOver) tell(context, 'It has not ended.');
  return document.state === 'completed' ? exitCodes.ok : exitCodes.failed;
}

async function cancel(context: Context, id: string, options: CancelOptions): Promise<number> {
  const { reason } = parseRequest(
    cancelRequestSchema,
    options.reason === undefined ? {} : { reason: options.reason },
  );
  const actor = operatorName(options.actor);
  const { document } = await withRequests(context, options, [], (service) =>
    service.cancel(id, reason, { actor }),
  );
  tellOf(context, document, options);
  return exitCodes.ok;
}

async function withRequests<Result>(
  context: Context,
  options: StoreOptions,
  definitions: readonly StageDefinition[],
  work: (service: RequestService) => Promise<Result>,
): Promise<Result> {
  const logger = createLogger({
    level: 'warn',
    pretty: true,
    destination: { write: (line) => tell(context, line.trimEnd()) },
  });
  const { withOperatorRequests } = await import('./command-requests.ts');
  return withOperatorRequests(await context.installation(options), { logger, definitions }, work);
}

function tellOf(context: Context, document: RequestDocument, { json: asJson }: ShowOptions): void {
  print(context, asJson === true ? JSON.stringify(document, undefined, 2) : requestText(document));
}

function labelsOf(given: readonly string[] | undefined): Readonly<Record<string, string>> | undefined {
  if (given === undefined) return undefined;
  return Object.fromEntries(
    given.map((text): [string, string] => {
      const end = text.indexOf('=');
      if (end > 0) return [text.slice(0, end), text.slice(end + 1)];
      throw invalidRequest([{ field: 'label', problem: 'must be a key and a value, as in "tier=gold"' }]);
    }),
  );
}
