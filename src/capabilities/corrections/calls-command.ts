import { type Command, InvalidArgumentError } from 'commander';
import { AppError } from '../../kernel/app-error.ts';
import { type Usd, usd } from '../../kernel/money.ts';
import type { CorrectionReport } from './correction-service.ts';
import { type TokenClass, type TokenCounts, tokenClasses } from '../../pricing/token-classes.ts';
import {
  type Bind,
  type CommandContext,
  exitCodes,
  print,
  type StoreOptions,
  withStoreOptions,
} from '../../terminal/command-context.ts';
import { operatorName } from '../../terminal/operator-name.ts';
import type { CorrectionSettings } from './command-corrections.ts';

interface CorrectOptions extends StoreOptions {
  readonly usage: TokenCounts;
  readonly cost?: Usd;
  readonly reason?: string;
  readonly actor?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** `millrace calls`: what operators do with single calls. */
export function addCallsCommand(
  program: Command,
  context: CommandContext<CorrectionSettings>,
  bind: Bind,
): void {
  const calls = program.command('calls').description('correct what single calls were booked with');
  withStoreOptions(calls.command('correct'))
    .description(
      'set what a call truly used; reports get the difference, and so do the budgets that it counts in',
    )
    .argument('<id>', 'the id of the call, as "millrace messages show" shows it')
    .requiredOption(
      '--usage <counts>',
      'tokens by class, for example "uncached_input=120,text_output=8"; a class left out is 0',
      usageOf,
    )
    .option('--cost <usd>', 'what the provider billed; the price at that time without it', amountOf)
    .option('--dry-run', 'only say what would change')
    .option('--reason <text>', 'why (required); it stands in the audit')
    .option('--actor <name>', 'who, for the audit; the account at this machine without it')
    .option('--json', 'one JSON object')
    .action(bind((id: string, options: CorrectOptions) => correct(context, id, options)));
}

async function correct(
  context: CommandContext<CorrectionSettings>,
  id: string,
  options: CorrectOptions,
): Promise<number> {
  const { usage: tokens, cost, reason = '', actor, dryRun = false, json = false } = options;
  if (!dryRun && reason.trim() === '')
    throw new AppError('MILLRACE_REQUEST_INVALID', 'Say why with --reason, or look first with --dry-run.');
  const request = { id, tokens, dryRun, reason, ...(cost === undefined ? {} : { costUsd: cost }) };
  const { withCorrectionService } = await import('./command-corrections.ts');
  const report = await withCorrectionService(await context.installation(options), (service) =>
    service.correct(request, { actor: operatorName(actor) }),
  );
  print(context, json ? JSON.stringify(report, undefined, 2) : textOf(report));
  return exitCodes.ok;
}

function textOf({ id, dryRun, isChanged, before, after }: CorrectionReport): string {
  const costOf = ({ costUsd }: CorrectionReport['before']): string =>
    costUsd === undefined ? 'an unknown cost' : `${costUsd} USD`;
  if (!isChanged) return `Call ${id} says this already: ${costOf(after)}. Nothing is changed.`;
  return `${dryRun ? 'Would correct' : 'Corrected'} call ${id}: ${costOf(before)} before, ${costOf(after)} now.`;
}

const countPattern = /^([a-z_0-9]{1,32})=(\d{1,10})$/;

function usageOf(text: string): TokenCounts {
  const counts: Partial<Record<TokenClass, number>> = {};
  for (const item of text.split(',')) {
    const [, word, digits] = countPattern.exec(item.trim()) ?? [];
    const name = tokenClasses.find((known) => known === word);
    if (name === undefined || counts[name] !== undefined)
      throw new InvalidArgumentError(`"${item}" is no class=count; classes: ${tokenClasses.join(', ')}.`);
    counts[name] = Number(digits);
  }
  return counts;
}

function amountOf(text: string): Usd {
  if (!/^\d{1,9}(\.\d{1,18})?$/.test(text))
    throw new InvalidArgumentError('an amount in US dollars, for example 0.0125');
  return usd(text);
}
