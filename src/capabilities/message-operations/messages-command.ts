import type { Command } from 'commander';
import { invalidRequest, parseRequest } from '../../http/request-faults.ts';
import { AppError } from '../../kernel/app-error.ts';
import { hasEnded } from '../../engine/ledger/message-state.ts';
import { messageOperationErrors } from './message-operation-errors.ts';
import type { MessageList, Steered } from './message-documents.ts';
import { listMessagesSchema, maxListedMessages, maxSteered, steerRequestSchema } from './message-requests.ts';
import type { MessageEnd } from './message-waiter.ts';
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
import { given, type MessageFilterOptions, messageFilterOf, withMessageFilters } from './message-options.ts';
import { messageListText, messageText, steeredText } from './messages-text.ts';
import { operatorName } from '../../terminal/operator-name.ts';
import type { MessageSettings, OperatorMessages } from './command-messages.ts';

interface ListOptions extends MessageFilterOptions {
  readonly limit?: string;
  readonly after?: string;
}

interface SteerOptions extends MessageFilterOptions {
  readonly all?: boolean;
  readonly max?: string;
  readonly reason?: string;
  readonly actor?: string;
  readonly dryRun?: boolean;
}

interface ShowOptions extends StoreOptions {
  readonly json?: boolean;
}

interface WaitOptions extends StoreOptions {
  readonly json?: boolean;
  readonly timeout?: string;
  readonly children?: boolean;
}

/** Pages that a list goes through for what it was asked, before it leaves the rest to --after. */
const maxPages = 500;
const maxWaitSeconds = 2_000_000;

/** `millrace messages`: what there is, how it came to be so, and what is to happen to it. */
export function addMessagesCommand(
  program: Command,
  context: CommandContext<MessageSettings>,
  bind: Bind,
): void {
  const messages = program
    .command('messages')
    .description('messages of every state: list, show, cancel, retry, wait');
  withMessageFilters(messages.command('list'))
    .description('messages, newest first')
    .option('--limit <n>', `the most that are shown, up to ${maxListedMessages}`)
    .option('--after <place>', 'go on where an earlier list ended')
    .action(bind((options: ListOptions) => listMessages(context, options)));
  withStoreOptions(messages.command('show'))
    .description(
      'everything about one: data, failed attempts, calls with tokens and cost, and the tree it is in',
    )
    .argument('<id>', 'the id of the message')
    .option('--json', 'one JSON object')
    .action(bind((id: string, options: ShowOptions) => showMessage(context, id, options)));
  withSelection(messages.command('cancel'))
    .description('end messages that have not ended; what is being worked on is aborted within a second')
    .action(bind((ids: readonly string[], options: SteerOptions) => steer(context, 'cancel', ids, options)));
  withSelection(messages.command('retry'))
    .description('make messages that wait for a time due now (dead letters: millrace dead-letters replay)')
    .action(
      bind((ids: readonly string[], options: SteerOptions) => steer(context, 'retryNow', ids, options)),
    );
  withStoreOptions(messages.command('wait'))
    .description('wait until a message has ended; exits 0 when it succeeded')
    .argument('<id>', 'the id of the message')
    .option('--timeout <seconds>', 'how long at most; for ever without it')
    .option('--children', 'also for everything that followed from it')
    .option('--json', 'one JSON object')
    .action(bind((id: string, options: WaitOptions) => waitForMessage(context, id, options)));
}

function withSelection(command: Command): Command {
  return withMessageFilters(command)
    .argument('[ids...]', 'ids of messages')
    .option('--all', 'every message that has not ended')
    .option('--max <n>', `the most that are touched, oldest first, up to ${maxSteered}; 1000 without it`)
    .option('--reason <text>', 'why (required); it stands in the audit')
    .option('--actor <name>', 'who, for the audit; the account at this machine without it')
    .option('--dry-run', 'change nothing; say how many, of which stages');
}

async function listMessages(context: CommandContext<MessageSettings>, options: ListOptions): Promise<number> {
  const { limit, after } = options;
  const { filter, ...page } = parseRequest(listMessagesSchema, {
    ...messageFilterOf(options),
    ...given({ limit, after }),
  });
  const list = await withMessages(context, options, false, async ({ service }): Promise<MessageList> => {
    const messages: MessageList['messages'] = [];
    let next = after;
    let place = page.after;
    for (let pages = 0; pages < maxPages; pages += 1) {
      const found = await service.list(filter, {}, { limit: page.limit - messages.length, after: place });
      messages.push(...found.messages);
      next = found.next;
      if (next === undefined || messages.length >= page.limit) break;
      place = parseRequest(listMessagesSchema, { after: next }).after;
    }
    return { messages, ...(next === undefined ? {} : { next }) };
  });
  print(context, options.json === true ? json(list) : messageListText(list));
  return exitCodes.ok;
}

async function showMessage(
  context: CommandContext<MessageSettings>,
  id: string,
  options: ShowOptions,
): Promise<number> {
  const story = await withMessages(context, options, false, async ({ service, accounts }) => ({
    account: await accounts.find(id, {}),
    content: await service.data(id, {}),
    tree: await service.tree(id, {}),
  }));
  const { account, content, tree } = story;
  if (account === undefined || content === undefined || tree === undefined)
    throw new AppError('MILLRACE_NOT_FOUND', `There is no message ${id}.`);
  const whole = { account, content, tree };
  print(context, options.json === true ? json(whole) : messageText(whole));
  return exitCodes.ok;
}

async function steer(
  context: CommandContext<MessageSettings>,
  steering: 'cancel' | 'retryNow',
  ids: readonly string[],
  options: SteerOptions,
): Promise<number> {
  const request = parseRequest(steerRequestSchema, selectionOf(ids, options));
  const operator = { actor: operatorName(options.actor) };
  const result = await withMessages(context, options, !request.dryRun, ({ service }): Promise<Steered> =>
    service[steering](request, operator),
  );
  const done = steering === 'cancel' ? 'cancelled' : 'made due now';
  print(context, options.json === true ? json(result) : steeredText(done, result));
  return exitCodes.ok;
}

async function waitForMessage(
  context: CommandContext<MessageSettings>,
  id: string,
  options: WaitOptions,
): Promise<number> {
  const { timeout, children = false } = options;
  const waiting = {
    includeChildren: children,
    ...(timeout === undefined ? {} : { timeoutMs: secondsOf(timeout) * 1000 }),
  };
  const end = await withMessages(context, options, false, async (messages): Promise<MessageEnd> => {
    if (messages.isAlone && timeout === undefined) await requireEnd(messages, id, children);
    return await messages.waiter.wait(id, waiting);
  });
  const code = end.errorCode === undefined ? '' : ` (${end.errorCode})`;
  const others = children ? `, ${end.messages} messages in all, ${end.failed} of them without success` : '';
  print(context, options.json === true ? json(end) : `${id} ${end.state}${code}${others}`);
  return end.state === 'completed' && end.failed === 0 ? exitCodes.ok : exitCodes.failed;
}

/** Throws MILLRACE_WAIT_NO_HOST for a message that nothing works on, so that a wait for it would never end. */
async function requireEnd({ search }: OperatorMessages, id: string, children: boolean): Promise<void> {
  const progress = await search.progress(id, {}, { children });
  if (progress === undefined || (children ? progress.open === 0 : hasEnded(progress.state))) return;
  throw new AppError(
    messageOperationErrors.MILLRACE_WAIT_NO_HOST,
    `Message ${id} is ${progress.state}, and no host runs on this installation: it would never end.`,
  );
}

function secondsOf(text: string): number {
  const seconds = /^\d{1,7}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (seconds <= maxWaitSeconds) return seconds;
  throw invalidRequest([{ field: 'timeout', problem: `is a number of seconds up to ${maxWaitSeconds}` }]);
}

/** Opens what commands about messages work with. */
export async function withMessages<Result>(
  context: CommandContext<MessageSettings>,
  options: StoreOptions,
  notifies: boolean,
  work: (messages: OperatorMessages) => Promise<Result>,
): Promise<Result> {
  const logger = createLogger({
    level: 'warn',
    pretty: true,
    destination: { write: (line) => tell(context, line.trimEnd()) },
  });
  const { withOperatorMessages } = await import('./command-messages.ts');
  return withOperatorMessages(await context.installation(options), { logger, notifies }, work);
}

/** Ids, filters, or both; the filter of everything only when that is asked for. */
function selectionOf(ids: readonly string[], options: SteerOptions): Readonly<Record<string, unknown>> {
  const { all, max, reason, dryRun } = options;
  const filter = messageFilterOf(options);
  const isFiltered = all === true || Object.keys(filter).length > 0;
  const most = max !== undefined && /^\d{1,6}$/.test(max) ? Number(max) : max;
  return {
    ...given({ max: most, reason, dryRun }),
    ...(ids.length === 0 ? {} : { ids }),
    ...(isFiltered ? { filter } : {}),
  };
}

function json(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}
