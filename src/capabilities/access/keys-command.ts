import type { Command } from 'commander';
import { type ApiScope, apiScopes } from '../../http/api-key-identity.ts';
import { ApiKeys, type KeyOperator } from './api-keys.ts';
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

interface AuditOptions extends StoreOptions {
  readonly reason?: string;
  readonly actor?: string;
}

interface CreateOptions extends AuditOptions {
  readonly name: string;
  readonly scope: readonly string[];
  readonly team?: string;
}

interface ListOptions extends StoreOptions {
  readonly json?: boolean;
}

/** `millrace keys`: who may use the API. */
export function addKeysCommand(program: Command, context: CommandContext, bind: Bind): void {
  const keys = program.command('keys').description('API keys: create, list, revoke');
  withAuditOptions(keys.command('create'))
    .description('make a key; it is printed once and cannot be read again')
    .requiredOption('--name <name>', 'what the key is for')
    .requiredOption('--scope <scope...>', `one or more of ${apiScopes.join(', ')}`)
    .option('--team <team>', 'the key sees and acts for this team only')
    .action(bind((options: CreateOptions) => createKey(context, options)));
  withStoreOptions(keys.command('list'))
    .description('every key ever made')
    .option('--json', 'one JSON list')
    .action(bind((options: ListOptions) => listKeys(context, options)));
  withAuditOptions(keys.command('revoke'))
    .description('end a key')
    .argument('<id>', 'the id of the key, as list shows it')
    .action(bind((id: string, options: AuditOptions) => revokeKey(context, id, options)));
}

function withAuditOptions(command: Command): Command {
  return withStoreOptions(command)
    .option('--reason <text>', 'why; it stands in the audit')
    .option('--actor <name>', 'who, for the audit; the account at this machine without it');
}

function keyOperator({ actor, reason = '' }: AuditOptions): KeyOperator {
  return { actor: operatorName(actor), reason };
}

async function withKeys<Result>(
  context: CommandContext,
  options: StoreOptions,
  work: (keys: ApiKeys) => Promise<Result>,
): Promise<Result> {
  const { withLedger } = await context.installation(options);
  return withLedger(({ database, clock }) => work(new ApiKeys({ database, clock })));
}

async function createKey(context: CommandContext, options: CreateOptions): Promise<number> {
  const { name, scope, team } = options;
  const { id, key } = await withKeys(context, options, (keys) =>
    // What is no scope is refused by the keys themselves, with every fault.
    keys.create(
      { name, scopes: scope as readonly ApiScope[], ...(team === undefined ? {} : { team }) },
      keyOperator(options),
    ),
  );
  print(context, key);
  tell(context, `The key's id is ${id}. It is not shown again.`);
  return exitCodes.ok;
}

async function listKeys(context: CommandContext, options: ListOptions): Promise<number> {
  const entries = await withKeys(context, options, (keys) => keys.list());
  if (options.json === true) {
    print(context, JSON.stringify(entries, undefined, 2));
    return exitCodes.ok;
  }
  const rows = entries.map(({ id, name, scopes, team, createdAt, revokedAt }) => [
    id,
    name,
    scopes.join(' '),
    team ?? '',
    createdAt.toISOString(),
    revokedAt?.toISOString() ?? '',
  ]);
  const titles = ['id', 'name', 'scopes', 'team', 'created', 'revoked'];
  print(
    context,
    rows.length === 0
      ? 'There are no keys.'
      : renderTable(
          titles.map((title) => ({ title })),
          rows,
        ),
  );
  return exitCodes.ok;
}

async function revokeKey(context: CommandContext, id: string, options: AuditOptions): Promise<number> {
  const isRevoked = await withKeys(context, options, (keys) => keys.revoke(id, keyOperator(options)));
  tell(context, isRevoked ? `The key ${id} is revoked.` : `There is no key ${id} that could be revoked.`);
  return isRevoked ? exitCodes.ok : exitCodes.failed;
}
