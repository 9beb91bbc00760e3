import type { Command } from 'commander';
import type { StageDefinition } from '../../engine/pipeline/stage-definition.ts';
import { parsedJson, parseRequest } from '../../http/request-faults.ts';
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
import { renderTable } from '../../terminal/text-table.ts';
import type { WaitCommandSettings } from './command-waits.ts';
import type { WaitDocument } from './wait-documents.ts';
import { completeWaitSchema, listWaitsSchema } from './wait-requests.ts';
import type { WaitService } from './wait-service.ts';

type Context = CommandContext<WaitCommandSettings>;
type LoadDefinitions = (file: string) => Promise<readonly StageDefinition[]>;

interface ListOptions extends StoreOptions {
  readonly limit?: string;
  readonly after?: string;
  readonly json?: boolean;
}

interface CompleteOptions extends StoreOptions {
  readonly stages: string;
  readonly with: string;
  readonly reason?: string;
  readonly actor?: string;
  readonly json?: boolean;
}

/** `millrace waits`: what waits for an outside event or an approval, and giving it its data. */
export function addWaitsCommand(program: Command, context: Context, bind: Bind, load: LoadDefinitions): void {
  const waits = program
    .command('waits')
    .description('messages that wait for an outside event or an approval');
  withStoreOptions(waits.command('list'))
    .description('what waits, the oldest first')
    .option('--limit <number>', 'the most waits that are listed; 50 without it')
    .option('--after <id>', 'the "next" of an earlier list')
    .option('--json', 'one JSON object, as the API answers')
    .action(bind((options: ListOptions) => list(context, options)));
  withStoreOptions(waits.command('complete').argument('<token>', 'as the handler got it'))
    .description('give a message that waits its data, once')
    .requiredOption('--stages <file>', 'the JavaScript file that exports the stages, which check the data')
    .requiredOption('--with <json>', 'the data of the message')
    .option('--reason <text>', 'why; it stands in the audit')
    .option('--actor <name>', 'who, for the audit; the account at this machine without it')
    .option('--json', 'one JSON object, as the API answers')
    .action(bind((token: string, options: CompleteOptions) => complete(context, token, options, load)));
}

async function list(context: Context, { limit, after, json, ...options }: ListOptions): Promise<number> {
  const page = parseRequest(listWaitsSchema, {
    ...(limit === undefined ? {} : { limit }),
    ...(after === undefined ? {} : { after }),
  });
  const listed = await withService(context, options, [], (service) => service.list({}, page));
  print(context, json === true ? JSON.stringify(listed, undefined, 2) : waitTable(listed.waits));
  if (json !== true && listed.next !== undefined) print(context, `More: --after ${listed.next}`);
  return exitCodes.ok;
}

async function complete(
  context: Context,
  token: string,
  { stages, with: data, reason, actor, json, ...options }: CompleteOptions,
  load: LoadDefinitions,
): Promise<number> {
  const body = parseRequest(completeWaitSchema, {
    data: parsedJson('with', data),
    ...(reason === undefined ? {} : { reason }),
  });
  const definitions = await load(stages);
  const by = { actor: operatorName(actor) };
  const done = await withService(context, options, definitions, (service) =>
    service.complete(token, body, by),
  );
  print(
    context,
    json === true ? JSON.stringify(done, undefined, 2) : `Message ${done.id} goes on in ${done.stage}.`,
  );
  return exitCodes.ok;
}

function waitTable(waits: readonly WaitDocument[]): string {
  if (waits.length === 0) return 'Nothing waits for an event.';
  const columns = ['message', 'type', 'stage', 'team', 'customer', 'until', 'then', 'what'].map((title) => ({
    title,
  }));
  return renderTable(
    columns,
    waits.map((wait) => [
      wait.id,
      wait.type,
      wait.stage,
      wait.team,
      wait.customer,
      wait.expiresAt,
      wait.onExpiry === 'default' ? 'goes on' : 'given up',
      wait.note ?? '',
    ]),
  );
}

async function withService<Result>(
  context: Context,
  options: StoreOptions,
  definitions: readonly StageDefinition[],
  work: (service: WaitService) => Promise<Result>,
): Promise<Result> {
  const { withOperatorWaits } = await import('./command-waits.ts');
  const logger = createLogger({
    level: 'warn',
    pretty: true,
    destination: { write: (line) => tell(context, line.trimEnd()) },
  });
  return withOperatorWaits(await context.installation(options), definitions, logger, work);
}
