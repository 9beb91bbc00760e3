import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { AppError } from '../../../kernel/app-error.ts';
import {
  type Bind,
  type CommandContext,
  exitCodes,
  print,
  type StoreOptions,
  tell,
  withStoreOptions,
} from '../../../terminal/command-context.ts';
import { operatorName } from '../../../terminal/operator-name.ts';
import { renderTable } from '../../../terminal/text-table.ts';
import type { PriceSettings } from '../command-prices.ts';
import type { RefreshReport } from './catalogue-refresh.ts';

interface RefreshOptions extends StoreOptions {
  readonly file?: string;
  readonly packaged?: boolean;
  readonly take?: boolean;
  readonly accept?: boolean;
  readonly reason?: string;
  readonly actor?: string;
  readonly json?: boolean;
}

/** `millrace prices refresh`: another catalogue of list prices. */
export function addRefreshCommand(prices: Command, context: CommandContext<PriceSettings>, bind: Bind): void {
  withStoreOptions(prices.command('refresh'))
    .description(
      'what another catalogue of list prices changes; with --take it holds in all running processes',
    )
    .addOption(
      new Option('--file <file>', 'the catalogue, in the format of the genai-prices package').conflicts(
        'packaged',
      ),
    )
    .option('--packaged', 'the packaged catalogue again')
    .option('--take', 'take it')
    .option('--accept', 'also where prices change more than prices do')
    .option('--reason <text>', 'why, for the audit (required with --take)')
    .option('--actor <name>', 'who, for the audit; the account at this machine without it')
    .option('--json', 'one JSON object')
    .action(bind((options: RefreshOptions) => refresh(context, options)));
}

async function refresh(context: CommandContext<PriceSettings>, options: RefreshOptions): Promise<number> {
  const { file, packaged = false, take = false, accept = false, reason = '', actor, json = false } = options;
  if (file === undefined && !packaged)
    throw new AppError('MILLRACE_REQUEST_INVALID', 'Name the catalogue with --file, or say --packaged.');
  if (take && reason.trim() === '')
    throw new AppError('MILLRACE_REQUEST_INVALID', 'Say why with --reason, or look first without --take.');
  const text = file === undefined ? undefined : await textOf(file);
  const { withCatalogueRefresh } = await import('../command-prices.ts');
  const report = await withCatalogueRefresh(await context.installation(options), (service) =>
    service.refresh({ text, isTaken: take, isAccepted: accept, actor: operatorName(actor), reason }),
  );
  print(context, json ? JSON.stringify(report, undefined, 2) : refreshText(report));
  if (report.isTaken) tell(context, 'Running processes follow within two seconds.');
  return exitCodes.ok;
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('MILLRACE_REQUEST_INVALID', `The catalogue cannot be read: ${problem}`, { cause });
  }
}

function refreshText({ before, after, isTaken, added, removed, changed, absurd }: RefreshReport): string {
  const names = (models: RefreshReport['added']): string =>
    models.map(({ provider, model }) => `${provider}/${model}`).join(', ');
  return [
    `${before} → ${after}: ${added.length} models more, ${removed.length} fewer, ${changed.length} rates are others.`,
    ...(added.length === 0 ? [] : [`More: ${names(added)}.`]),
    ...(removed.length === 0 ? [] : [`Fewer: ${names(removed)}.`]),
    ...(changed.length === 0
      ? []
      : [
          '',
          renderTable(
            [
              { title: 'model' },
              { title: 'kind' },
              { title: 'input above', align: 'right' },
              { title: 'old USD / million', align: 'right' },
              { title: 'new', align: 'right' },
              { title: 'percent', align: 'right' },
            ],
            changed.map((rate) => [
              `${rate.provider}/${rate.model}`,
              rate.kind,
              rate.aboveInputTokens === undefined ? '' : String(rate.aboveInputTokens),
              rate.beforeUsd ?? '',
              rate.afterUsd ?? '',
              rate.percent ?? '',
            ]),
          ),
        ]),
    ...(absurd.length === 0 ? [] : ['', `More than prices change: ${absurd.join('; ')}.`]),
    ...(isTaken ? ['', 'Taken.'] : ['', 'Nothing is changed; --take takes it.']),
  ].join('\n');
}
