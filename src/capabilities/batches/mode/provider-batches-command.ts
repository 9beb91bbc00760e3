import type { Command } from 'commander';
import { AppError } from '../../../kernel/app-error.ts';
import {
  type Bind,
  type CommandContext,
  exitCodes,
  print,
  type StoreOptions,
  withStoreOptions,
} from '../../../terminal/command-context.ts';
import { operatorName } from '../../../terminal/operator-name.ts';
import { formatCount, renderTable } from '../../../terminal/text-table.ts';
import {
  listedStates,
  listProviderBatchesSchema,
  type ProviderBatchDocument,
  type ProviderBatchList,
  type ResolveRequest,
} from './provider-batch-documents.ts';
import type { ProviderBatchOperations } from './provider-batch-operations.ts';

interface ListOptions extends StoreOptions {
  readonly state?: string;
  readonly limit?: string;
  readonly after?: string;
  readonly json?: boolean;
}

interface ResolveOptions extends StoreOptions {
  readonly reason?: string;
  readonly actor?: string;
  readonly json?: boolean;
}

type Context = CommandContext;

/** `millrace provider-batches`: the batches at providers that batches' calls are in. */
export function addProviderBatchesCommand(program: Command, context: Context, bind: Bind): void {
  const batches = program
    .command('provider-batches')
    .description('see batches at providers, and decide about those that cannot go on by themselves');
  withStoreOptions(batches.command('list'))
    .description('the newest first')
    .option('--state <state>', `any of ${listedStates.join(', ')}`)
    .option('--limit <count>', 'the most that are shown')
    .option('--after <place>', 'the place that the page before ends with')
    .option('--json', 'one JSON object')
    .action(bind((options: ListOptions) => list(context, options)));
  withReason(batches.command('take-over'))
    .description('it is this one at the provider: go on with that')
    .argument('<id>', 'the id that the list shows')
    .argument('<provider-id>', "the provider's id of the batch")
    .action(
      bind((id: string, providerId: string, options: ResolveOptions) =>
        resolve(context, id, { resolution: 'take-over', providerId }, options),
      ),
    );
  withReason(batches.command('send-again'))
    .description('it is not at the provider: send it again; it is paid twice if that is not so')
    .argument('<id>', 'the id that the list shows')
    .action(
      bind((id: string, options: ResolveOptions) =>
        resolve(context, id, { resolution: 'send-again' }, options),
      ),
    );
  withReason(batches.command('give-up'))
    .description('count its calls as unsettled, with what they cost at most, and make them anew')
    .argument('<id>', 'the id that the list shows')
    .action(
      bind((id: string, options: ResolveOptions) => resolve(context, id, { resolution: 'give-up' }, options)),
    );
}

function withReason(command: Command): Command {
  return withStoreOptions(command)
    .option('--reason <text>', 'why (required); it stands in the audit')
    .option('--actor <name>', 'who, for the audit; the account at this machine without it')
    .option('--json', 'one JSON object');
}

async function list(
  context: Context,
  { state, limit, after, json = false, ...stores }: ListOptions,
): Promise<number> {
  const asked = listProviderBatchesSchema.safeParse({
    ...(state === undefined ? {} : { state }),
    ...(limit === undefined ? {} : { limit }),
    ...(after === undefined ? {} : { after }),
  });
  if (!asked.success)
    throw new AppError(
      'MILLRACE_REQUEST_INVALID',
      asked.error.issues.map(({ path, message }) => `--${path.join('.')} ${message}`).join('; '),
    );
  const shown = await withOperations(context, stores, (operations) => operations.list(asked.data, {}));
  print(context, json ? JSON.stringify(shown, undefined, 2) : listText(shown));
  return exitCodes.ok;
}

/** A decision without its reason. */
type Decision =
  | Omit<ResolveRequest & { readonly resolution: 'take-over' }, 'reason'>
  | Omit<ResolveRequest & { readonly resolution: 'send-again' | 'give-up' }, 'reason'>;

async function resolve(
  context: Context,
  id: string,
  decision: Decision,
  { reason = '', actor, json = false, ...stores }: ResolveOptions,
): Promise<number> {
  if (reason.trim() === '') throw new AppError('MILLRACE_REQUEST_INVALID', 'Say why with --reason.');
  const batch = await withOperations(context, stores, (operations) =>
    operations.resolve(id, { ...decision, reason }, { actor: operatorName(actor) }),
  );
  print(
    context,
    json ? JSON.stringify(batch, undefined, 2) : `The provider batch ${batch.id} is ${batch.state} now.`,
  );
  return exitCodes.ok;
}

async function withOperations<Result>(
  context: Context,
  stores: StoreOptions,
  work: (operations: ProviderBatchOperations) => Promise<Result>,
): Promise<Result> {
  const { ProviderBatchOperations: Operations } = await import('./provider-batch-operations.ts');
  const { withLedger } = await context.installation(stores);
  return await withLedger(({ database, clock }) => work(new Operations({ database, clock })));
}

function listText({ providerBatches, next }: ProviderBatchList): string {
  if (providerBatches.length === 0) return 'There are no such provider batches.';
  const columns = [
    ...['id', 'batch', 'model', 'state', 'provider id', 'planned'].map((title) => ({ title })),
    { title: 'requests', align: 'right' as const },
    { title: 'note' },
  ];
  const rows = providerBatches.map((batch) => [
    batch.id,
    batch.batch === undefined ? '' : `${batch.batch.team}/${batch.batch.name}`,
    `${batch.account}/${batch.model}`,
    batch.state,
    batch.providerId ?? '',
    batch.plannedAt,
    formatCount(batch.requests),
    noteOf(batch),
  ]);
  return [
    renderTable(columns, rows),
    ...(next === undefined ? [] : ['', `There are more: --after ${next}`]),
  ].join('\n');
}

const reasons: Readonly<Record<NonNullable<ProviderBatchDocument['unresolved']>, string>> = {
  gone: 'the provider does not know it any more',
  several_found: 'the provider has several with its mark',
  unreadable: 'what may be it cannot be read at the provider',
};

function noteOf({ unresolved, lastError }: ProviderBatchDocument): string {
  return unresolved === undefined ? (lastError ?? '') : reasons[unresolved];
}
