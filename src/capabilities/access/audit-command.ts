import { type Command, Option } from 'commander';
import { parseRequest } from '../../http/request-faults.ts';
import {
  type Bind,
  type CommandContext,
  exitCodes,
  print,
  type StoreOptions,
  withStoreOptions,
} from '../../terminal/command-context.ts';
import { nameOption } from '../../terminal/option-values.ts';
import { formatCount, renderTable, type TableColumn } from '../../terminal/text-table.ts';
import { type AuditList, listAudit } from './audit-documents.ts';
import { AuditLog } from './audit-log.ts';
import { auditQuerySchema } from './audit-requests.ts';

interface AuditOptions extends StoreOptions {
  readonly actor?: string;
  readonly action?: string;
  readonly target?: string;
  readonly team?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit?: string;
  readonly after?: string;
  readonly json?: boolean;
}

/** `millrace audit`: what operators have changed. */
export function addAuditCommand(program: Command, context: CommandContext, bind: Bind): void {
  withStoreOptions(program.command('audit'))
    .description('what operators have changed: who, when, what, from what to what, and why; newest first')
    .option('--actor <name>', 'who did it, as an entry shows it', nameOption)
    .option('--action <action>', 'what was done ("keys.revoke"), or what it was done to ("keys")')
    .option('--target <target>', 'what it was done to, as an entry shows it', nameOption)
    .option('--team <team>', 'entries of this team only', nameOption)
    .option('--from <time>', 'first moment, a date or a time with its zone')
    .option('--to <time>', 'last moment, excluded')
    .addOption(new Option('--limit <number>', 'the most entries that are shown').default('50'))
    .option('--after <place>', 'goes on where a list before ended')
    .option('--json', 'one JSON object, as the API answers')
    .action(bind((options: AuditOptions) => showAudit(context, options)));
}

async function showAudit(context: CommandContext, options: AuditOptions): Promise<number> {
  const { config: _config, data: _data, json = false, ...asked } = options;
  const { filter, ...page } = parseRequest(auditQuerySchema, asked);
  const { withLedger } = await context.installation(options);
  const list = await withLedger(({ database }) => listAudit(new AuditLog(database), filter, {}, page));
  print(context, json ? JSON.stringify(list, undefined, 2) : auditText(list));
  return exitCodes.ok;
}

const columns: readonly TableColumn[] = [
  { title: 'when' },
  { title: 'who' },
  { title: 'action' },
  { title: 'target' },
  { title: 'team' },
  { title: 'changed', align: 'right' },
  { title: 'from → to' },
  { title: 'why' },
];

function auditText({ entries, next }: AuditList): string {
  const rows = entries.map(({ at, actor, action, target, team = '', affected, from, to, reason }) => [
    at,
    actor,
    action,
    target,
    team,
    formatCount(affected),
    from === undefined && to === undefined ? '' : `${shown(from)} → ${shown(to)}`,
    reason,
  ]);
  return [
    entries.length === 0 ? 'There are no such entries here.' : renderTable(columns, rows),
    ...(next === undefined ? [] : ['', `There may be more: --after ${next}`]),
  ].join('\n');
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}
