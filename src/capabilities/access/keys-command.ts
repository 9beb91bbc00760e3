import { type Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { type ApiScope, apiScopes, type KeyTier, keyTiers } from '../../http/api-key-identity.ts';
import { ApiKeys, type KeyOperator, maxRequestsPerMinute } from './api-keys.ts';
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
import { wholeNumberOption } from '../../terminal/option-values.ts';
import { renderTable } from '../../terminal/text-table.ts';

const endHelp = 'from when it is refused: a time with its zone, a date, or a duration from now, as in 90d';

interface AuditOptions extends StoreOptions {
  readonly reason?: string;
  readonly actor?: string;
}

interface CreateOptions extends AuditOptions {
  readonly name: string;
  readonly scope: readonly string[];
  readonly team?: string;
  readonly customer?: string;
  readonly feature?: string;
  readonly tier?: KeyTier;
  readonly expires?: Date;
  readonly requestsPerMinute?: number;
}

interface RotateOptions extends AuditOptions {
  readonly overlap: number;
  readonly expires?: Date;
}

interface ListOptions extends StoreOptions {
  readonly json?: boolean;
}

/** `millrace keys`: who may use the API. */
export function addKeysCommand(program: Command, context: CommandContext, bind: Bind): void {
  const keys = program.command('keys').description('API keys: create, list, rotate, revoke');
  withAuditOptions(keys.command('create'))
    .description('make a key; it is printed once and cannot be read again')
    .requiredOption('--name <name>', 'what the key is for')
    .requiredOption('--scope <scope...>', `one or more of ${apiScopes.join(', ')}`)
    .option('--team <team>', 'the key sees and acts for this team only')
    .option('--customer <customer>', "its requests are this customer's, and it sees no other's")
    .option('--feature <feature>', 'the same of the product feature')
    .addOption(
      new Option(
        '--tier <tier>',
        'the plan of its holder: the configuration says in which lane its requests are',
      ).choices(keyTiers),
    )
    .option('--expires <when>', `${endHelp}; without it the key is good until it is revoked`, endOf(context))
    .option(
      '--requests-per-minute <number>',
      'the most requests over all routes, by one process',
      wholeNumberOption(1, maxRequestsPerMinute),
    )
    .action(bind((options: CreateOptions) => createKey(context, options)));
  withStoreOptions(keys.command('list'))
    .description('every key ever made')
    .option('--json', 'one JSON list')
    .action(bind((options: ListOptions) => listKeys(context, options)));
  withAuditOptions(keys.command('rotate'))
    .description('make a key that replaces another; it is printed once and cannot be read again')
    .argument('<id>', 'the id of the key that is replaced, as list shows it')
    .addOption(
      new Option('--overlap <duration>', 'for how long both are good, as in 30m, 24h or 7d; 0s for no time')
        .argParser(durationOf)
        .default(86_400_000, '24h'),
    )
    .option(
      '--expires <when>',
      `${endHelp}; without it after as long a time as the old one had`,
      endOf(context),
    )
    .action(bind((id: string, options: RotateOptions) => rotateKey(context, id, options)));
  withAuditOptions(keys.command('revoke'))
    .description('end a key at once, in every process')
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
  const { name, scope, team, customer, feature, tier, expires: expiresAt, requestsPerMinute } = options;
  const { id, key } = await withKeys(context, options, (keys) =>
    // What is no scope is refused by the keys themselves, with every fault.
    keys.create(
      {
        name,
        scopes: scope as readonly ApiScope[],
        team,
        customer,
        feature,
        tier,
        expiresAt,
        requestsPerMinute,
      },
      keyOperator(options),
    ),
  );
  print(context, key);
  tell(context, `Its id is ${id}. The key itself is not shown again.`);
  return exitCodes.ok;
}

async function listKeys(context: CommandContext, options: ListOptions): Promise<number> {
  const entries = await withKeys(context, options, (keys) => keys.list());
  if (options.json === true) {
    print(context, JSON.stringify(entries, undefined, 2));
    return exitCodes.ok;
  }
  const rows = entries.map(
    ({
      id,
      name,
      scopes,
      team,
      customer,
      feature,
      tier,
      requestsPerMinute,
      createdAt,
      expiresAt,
      revokedAt,
      replaces,
    }) => [
      id,
      name,
      scopes.join(' '),
      team ?? '',
      customer ?? '',
      feature ?? '',
      tier ?? '',
      requestsPerMinute?.toString() ?? '',
      createdAt.toISOString(),
      expiresAt?.toISOString() ?? '',
      revokedAt?.toISOString() ?? '',
      replaces ?? '',
    ],
  );
  const titles = [
    'id',
    'name',
    'scopes',
    'team',
    'customer',
    'feature',
    'tier',
    'requests/min',
    'created',
    'expires',
    'revoked',
    'replaces',
  ];
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

async function rotateKey(context: CommandContext, id: string, options: RotateOptions): Promise<number> {
  const { overlap: overlapMs, expires: expiresAt } = options;
  const rotated = await withKeys(context, options, (keys) =>
    keys.rotate(id, { overlapMs, expiresAt }, keyOperator(options)),
  );
  if (rotated === undefined) {
    tell(context, `There is no key ${id} that could be replaced.`);
    return exitCodes.failed;
  }
  const { entry, key, replacedUntil } = rotated;
  print(context, key);
  tell(context, `Its id is ${entry.id}. The new key itself is not shown again.`);
  tell(context, `The key ${id} is good until ${replacedUntil.toISOString()}.`);
  return exitCodes.ok;
}

async function revokeKey(context: CommandContext, id: string, options: AuditOptions): Promise<number> {
  const isRevoked = await withKeys(context, options, (keys) => keys.revoke(id, keyOperator(options)));
  tell(context, isRevoked ? `The key ${id} is revoked.` : `There is no key ${id} that could be revoked.`);
  return isRevoked ? exitCodes.ok : exitCodes.failed;
}

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads "90d" as milliseconds. */
function durationOf(text: string): number {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return Number(count) * (unitMs[unit] ?? 0);
  throw new InvalidArgumentError('It is a duration, as in 30m, 24h or 90d.');
}

/** Reads a moment, or a duration from now on. */
function endOf({ clock }: CommandContext): (text: string) => Date {
  const moment = z.union([z.iso.datetime({ offset: true }), z.iso.date()]);
  return (text) =>
    moment.safeParse(text).success ? new Date(text) : new Date(clock.now().getTime() + durationOf(text));
}
