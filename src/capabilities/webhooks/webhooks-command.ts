import { type Command, Option } from 'commander';
import { parseRequest } from '../../http/request-faults.ts';
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
import { nameOption, wholeNumberOption } from '../../terminal/option-values.ts';
import type { WebhookCommandSettings } from './command-webhooks.ts';
import { webhookEventTypes } from './webhook-event.ts';
import {
  createWebhookSchema,
  deliveryStates,
  listDeliveriesSchema,
  maxListedDeliveries,
  maxOverlapSeconds,
  maxRedelivered,
  redeliverFailedSchema,
} from './webhook-requests.ts';
import { signingSchemes } from './webhook-secret.ts';
import type { WebhookService } from './webhook-service.ts';
import { attemptTable, deliveryTable, webhookTable } from './webhooks-text.ts';

type Context = CommandContext<WebhookCommandSettings>;

interface JsonOptions extends StoreOptions {
  readonly json?: boolean;
}

interface ChangeOptions extends JsonOptions {
  readonly reason?: string;
  readonly actor?: string;
}

interface CreateOptions extends ChangeOptions {
  readonly name: string;
  readonly url: string;
  readonly event?: readonly string[];
  readonly team?: string;
  readonly signing?: string;
}

interface DeliveriesOptions extends JsonOptions {
  readonly state?: string;
  readonly limit?: number;
  readonly after?: string;
}

interface RedeliverOptions extends ChangeOptions {
  readonly delivery?: string;
  readonly from?: string;
  readonly to?: string;
  readonly max?: number;
}

/** `millrace webhooks`: who is told of the ends of work, and what became of that. */
export function addWebhooksCommand(program: Command, context: Context, bind: Bind): void {
  const webhooks = program
    .command('webhooks')
    .description('who is told of the ends of batches and requests, and what became of it');
  withJson(webhooks.command('list'))
    .description('the webhooks; those of the configuration once they were named')
    .action(bind((options: JsonOptions) => list(context, options)));
  withChange(webhooks.command('create'))
    .description('make a webhook; its secret is printed once and cannot be read again')
    .requiredOption('--name <name>', 'by which batches and requests name it')
    .requiredOption('--url <url>', 'where it is: https, a public address')
    .option('--event <type...>', `what it is told of without being named: ${webhookEventTypes.join(', ')}`)
    .option('--team <team>', 'of whose work it is told; of that of all teams without it', nameOption)
    .addOption(
      new Option('--signing <scheme>', 'v1: a shared secret; v1a: ed25519').choices([...signingSchemes]),
    )
    .action(bind((options: CreateOptions) => create(context, options)));
  withChange(withId(webhooks.command('rotate')))
    .description('give it another secret, which is printed once')
    .option(
      '--overlap-seconds <number>',
      'for how long the old one signs as well; a day without it',
      wholeNumberOption(0, maxOverlapSeconds),
    )
    .action(
      bind((id: string, options: ChangeOptions & { readonly overlapSeconds?: number }) =>
        rotate(context, id, options),
      ),
    );
  for (const [name, state, description] of [
    ['disable', 'disabled', 'send nothing more to it; what waits for it is kept'],
    ['enable', 'enabled', 'send to it again'],
  ] as const)
    withChange(withId(webhooks.command(name)))
      .description(description)
      .action(
        bind((id: string, options: ChangeOptions) =>
          change(context, options, (service, operator, reason) =>
            service.setState(id, state, operator, reason),
          ),
        ),
      );
  withChange(withId(webhooks.command('delete')))
    .description('delete it, with what waits for it and its log')
    .action(
      bind((id: string, options: ChangeOptions) =>
        change(context, options, (service, operator, reason) => service.delete(id, operator, reason)),
      ),
    );
  withChange(withId(webhooks.command('test')))
    .description('send an event of the type webhook.test; deliveries shows what became of it')
    .action(
      bind((id: string, options: ChangeOptions) =>
        change(context, options, (service, operator) => service.test(id, operator)),
      ),
    );
  withJson(withId(webhooks.command('deliveries')))
    .description('what was sent to it, or waits to be sent, newest first')
    .addOption(new Option('--state <state>', 'only those in it').choices([...deliveryStates]))
    .option('--limit <count>', 'the most that are shown', wholeNumberOption(1, maxListedDeliveries))
    .option('--after <place>', 'the place that the page before ends with')
    .action(bind((id: string, options: DeliveriesOptions) => deliveries(context, id, options)));
  withJson(webhooks.command('show'))
    .description('a delivery: what is sent, and its attempts')
    .argument('<delivery>', 'its id, as deliveries shows it')
    .action(bind((id: string, options: JsonOptions) => show(context, id, options)));
  withChange(webhooks.command('redeliver'))
    .description('send again: one delivery, or what a webhook gave up on in a time')
    .argument('[id]', 'the id of the webhook, with --from')
    .option('--delivery <id>', 'one delivery, also one that was taken')
    .option('--from <time>', 'written at this time or later')
    .option('--to <time>', 'written before this time; until now without it')
    .option('--max <count>', 'the most, the oldest first', wholeNumberOption(1, maxRedelivered))
    .action(bind((id: string | undefined, options: RedeliverOptions) => redeliver(context, id, options)));
}

function withJson(command: Command): Command {
  return withStoreOptions(command).option('--json', 'one JSON object, as the API answers');
}

function withChange(command: Command): Command {
  return withJson(command)
    .option('--reason <text>', 'why; it stands in the audit')
    .option('--actor <name>', 'who, for the audit; the account at this machine without it');
}

function withId(command: Command): Command {
  return command.argument('<id>', 'the id of the webhook, as list shows it');
}

async function withService<Result>(
  context: Context,
  options: StoreOptions,
  work: (service: WebhookService) => Promise<Result>,
): Promise<Result> {
  const { withWebhookService } = await import('./command-webhooks.ts');
  return withWebhookService(await context.installation(options), work);
}

const json = (document: unknown): string => JSON.stringify(document, undefined, 2);

async function list(context: Context, options: JsonOptions): Promise<number> {
  const listed = await withService(context, options, (service) => service.list({}));
  if (options.json === true) print(context, json(listed));
  else
    print(context, listed.webhooks.length === 0 ? 'There are no webhooks.' : webhookTable(listed.webhooks));
  return exitCodes.ok;
}

async function create(context: Context, options: CreateOptions): Promise<number> {
  const { name, url, event: events, team, signing, reason, actor } = options;
  const wanted = parseRequest(createWebhookSchema, given({ name, url, events, team, signing, reason }));
  const made = await withService(context, options, (service) =>
    service.create(wanted, { actor: operatorName(actor) }),
  );
  print(context, options.json === true ? json(made) : made.secret);
  tell(context, `The webhook's id is ${made.id}. ${secretNote(made.signing)}`);
  return exitCodes.ok;
}

async function rotate(
  context: Context,
  id: string,
  options: ChangeOptions & { readonly overlapSeconds?: number },
): Promise<number> {
  const { overlapSeconds = 86_400, reason = '', actor } = options;
  const rotated = await withService(context, options, (service) =>
    service.rotate(id, { overlapSeconds, reason }, { actor: operatorName(actor) }),
  );
  print(context, options.json === true ? json(rotated) : rotated.secret);
  tell(context, secretNote(rotated.signing));
  return exitCodes.ok;
}

function secretNote(signing: string): string {
  return signing === 'v1' ? 'The secret is not shown again.' : 'It is the public key; list shows it too.';
}

async function change(
  context: Context,
  options: ChangeOptions,
  work: (service: WebhookService, operator: { readonly actor: string }, reason: string) => Promise<object>,
): Promise<number> {
  const { reason = '', actor } = options;
  const changed = await withService(context, options, (service) =>
    work(service, { actor: operatorName(actor) }, reason),
  );
  if (options.json === true) print(context, json(changed));
  else if ('delivery' in changed) print(context, `Queued: delivery ${String(changed.delivery)}.`);
  else if ('queued' in changed) print(context, `Queued: ${String(changed.queued)}.`);
  else print(context, 'Done.');
  return exitCodes.ok;
}

async function deliveries(context: Context, id: string, options: DeliveriesOptions): Promise<number> {
  const { state, limit, after } = options;
  const asked = parseRequest(listDeliveriesSchema, given({ state, limit: limit?.toString(), after }));
  const page = await withService(context, options, (service) => service.listDeliveries(id, asked, {}));
  if (options.json === true) print(context, json(page));
  else print(context, page.deliveries.length === 0 ? 'There are none.' : deliveryTable(page.deliveries));
  if (options.json !== true && page.next !== undefined) tell(context, `More with --after ${page.next}`);
  return exitCodes.ok;
}

async function show(context: Context, id: string, options: JsonOptions): Promise<number> {
  const shown = await withService(context, options, (service) => service.getDelivery(id, {}));
  if (options.json === true) print(context, json(shown));
  else
    print(
      context,
      [`${shown.type} ${shown.state}, webhook-id ${shown.event}`, shown.body, attemptTable(shown.log)].join(
        '\n',
      ),
    );
  return exitCodes.ok;
}

async function redeliver(
  context: Context,
  id: string | undefined,
  options: RedeliverOptions,
): Promise<number> {
  const { delivery, from, to, max } = options;
  if (delivery !== undefined && id === undefined)
    return change(context, options, (service, operator, reason) =>
      service.redeliver(delivery, operator, reason),
    );
  const asked = parseRequest(redeliverFailedSchema, given({ from, to, max }));
  return change(context, options, (service, operator, reason) =>
    service.redeliverFailed(id ?? '', asked, operator, reason),
  );
}

function given(options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
