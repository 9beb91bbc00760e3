import type { Command } from 'commander';
import { AppError } from '../../kernel/app-error.ts';
import type { ErasureReport } from './erasure-service.ts';
import { silentLogger } from '../../telemetry/silent-logger.ts';
import {
  type Bind,
  type CommandContext,
  exitCodes,
  print,
  type StoreOptions,
  withStoreOptions,
} from '../../terminal/command-context.ts';
import { operatorName } from '../../terminal/operator-name.ts';
import { nameOption } from '../../terminal/option-values.ts';
import { formatCounted } from '../../terminal/text-table.ts';
import type { ErasureSettings } from './command-erasures.ts';

interface EraseOptions extends StoreOptions {
  readonly customer?: string;
  readonly team?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly actor?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** `millrace erase`: what is known of somebody goes; what was spent stays, under a pseudonym. */
export function addEraseCommand(
  program: Command,
  context: CommandContext<ErasureSettings>,
  bind: Bind,
): void {
  withStoreOptions(program.command('erase'))
    .description(
      'erase a customer, all customers of a team, or one message. Data, answers, items and labels are deleted, the name is ' +
        'replaced by a pseudonym, and what was spent is kept. This cannot be undone: look with --dry-run first. When it is ' +
        'interrupted, repeat the same command',
    )
    .option('--customer <name>', 'erase this customer, in all teams or only in that of --team', nameOption)
    .option('--team <name>', 'without --customer: erase all customers of this team', nameOption)
    .option(
      '--message <id>',
      'erase the message that was admitted, and all that followed from it, by the id of any of them',
    )
    .option('--dry-run', 'change nothing; say how many messages, calls and rows would be erased')
    .option(
      '--reason <text>',
      'why (required, but not with --dry-run); the audit keeps it, so leave out the name',
    )
    .option('--actor <name>', 'who, for the audit; the account at this machine without it')
    .option('--json', 'one JSON object')
    .action(bind((options: EraseOptions) => erase(context, options)));
}

async function erase(context: CommandContext<ErasureSettings>, options: EraseOptions): Promise<number> {
  const { customer, team, message, reason = '', actor, dryRun = false, json = false } = options;
  if (!dryRun && reason.trim() === '')
    throw new AppError('MILLRACE_REQUEST_INVALID', 'Say why with --reason, or look first with --dry-run.');
  const request = { customer, team, message };
  const order = { actor: operatorName(actor), reason };
  const { withErasureService } = await import('./command-erasures.ts');
  const report = await withErasureService(await context.installation(options), silentLogger, (service) =>
    dryRun ? service.preview(request) : service.erase(request, order),
  );
  print(context, json ? JSON.stringify(report, undefined, 2) : textOf(report));
  return exitCodes.ok;
}

function textOf({
  isDryRun,
  messages,
  deadLetters,
  calls,
  open,
  usageRows,
  pseudonym,
}: ErasureReport): string {
  const counts = `${formatCounted(messages, 'message')} (${formatCounted(deadLetters, 'dead letter')}), ${formatCounted(calls, 'call')}, ${formatCounted(usageRows, 'row')} in the column store`;
  if (!isDryRun)
    return `Erased: ${counts}.${pseudonym === undefined ? '' : ` The name is now ${pseudonym}.`}`;
  return `Would erase: ${counts}.${open === 0 ? '' : ` ${open} messages or calls are not at their end: nothing is erased until they are.`}`;
}
