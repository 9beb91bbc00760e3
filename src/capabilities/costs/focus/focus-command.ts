import { createWriteStream } from 'node:fs';
import { access, rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Command, Option } from 'commander';
import { AppError } from '../../../kernel/app-error.ts';
import {
  type Bind,
  type CommandContext,
  exitCodes,
  type StoreOptions,
  tell,
  withStoreOptions,
} from '../../../terminal/command-context.ts';
import { formatCount } from '../../../terminal/text-table.ts';
import type { CostSettings } from '../cost-settings.ts';
import { type CostFilterField, costFilterFields } from '../usage-queries.ts';
import type { FocusRow } from './focus-columns.ts';
import { FocusExports } from './focus-export.ts';
import { focusFile, type FocusFormat, focusFormats } from './focus-file.ts';
import { parseFocusParameters } from './focus-parameters.ts';
import { focusGrains } from './focus-query.ts';

interface ExportOptions extends StoreOptions, Readonly<Partial<Record<CostFilterField, readonly string[]>>> {
  readonly from?: string;
  readonly to?: string;
  readonly granularity?: string;
  readonly format: FocusFormat;
  readonly tokenDetails?: boolean;
  readonly output?: string;
  readonly force?: boolean;
}

/** `millrace focus export`: the dataset of GET /v1/focus as a file. */
export function addFocusCommand(
  program: Command,
  context: CommandContext<{ readonly costs: CostSettings }>,
  bind: Bind,
): void {
  const focus = program.command('focus').description('usage and cost as FOCUS, for FinOps tools');
  const command = withStoreOptions(focus.command('export')).description(
    'write a FOCUS 1.4 "Cost and Usage" dataset: a row for each hour or day, origin, stage, SKU and price',
  );
  for (const field of costFilterFields) {
    command.option(`--${field} <${field}>`, `only of this ${field}; repeat it for more`, collected);
  }
  command
    .option('--from <time>', 'first day (or hour) in UTC: 2026-03-01; the start of the month without it')
    .option('--to <time>', 'last, excluded; the start of today (or of this hour) without it')
    .addOption(
      new Option('--granularity <step>', 'length of a charge period').choices(focusGrains).default('day'),
    )
    .addOption(
      new Option('--format <format>', 'form of the file').choices(Object.keys(focusFormats)).default('csv'),
    )
    .option('--token-details', 'add the token keys of the 1.5 working draft to SkuPriceDetails')
    .option('--output <file>', 'file to write; standard output without it')
    .option('--force', 'replace the file if there is one')
    .action(bind((options: ExportOptions) => exportFocus(context, options)));
}

function collected(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

async function exportFocus(
  context: CommandContext<{ readonly costs: CostSettings }>,
  options: ExportOptions,
): Promise<number> {
  const { from, to, granularity, tokenDetails, format, output, force = false } = options;
  const filters = costFilterFields.flatMap((field): readonly (readonly [string, unknown])[] => {
    const values = options[field];
    return values === undefined ? [] : [[field, values]];
  });
  const parameters: Readonly<Record<string, unknown>> = {
    ...Object.fromEntries<unknown>(filters),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(granularity === undefined ? {} : { granularity }),
    ...(tokenDetails === undefined ? {} : { token_details: String(tokenDetails) }),
  };
  if (output !== undefined && !force) await refuseExisting(output);
  const { settings, withStores } = await context.installation(options);
  await withStores(async ({ columns, clock }) => {
    const request = parseFocusParameters(parameters, clock.now());
    const exports = new FocusExports({
      store: columns,
      limits: settings.costs.reports,
      billingAccount: settings.costs.focus.billingAccount,
    });
    let count = 0;
    async function* counted(pieces: AsyncIterable<readonly FocusRow[]>): AsyncGenerator<readonly FocusRow[]> {
      for await (const rows of pieces) {
        count += rows.length;
        if (context.stderr.isTTY === true) {
          context.stderr.write(`\r${formatCount(count)} rows, up to ${rows.at(-1)?.ChargePeriodEnd ?? ''}`);
        }
        yield rows;
      }
    }
    const bytes = Readable.from(focusFile(format, counted(exports.rows(request, {}))), { objectMode: false });
    if (output === undefined) await pipeline(bytes, context.stdout, { end: false });
    else await writeWhole(bytes, output);
    if (context.stderr.isTTY === true && count > 0) context.stderr.write('\n');
    tell(
      context,
      `${formatCount(count)} rows from ${request.from.toISOString()} to ${request.to.toISOString()}${output === undefined ? '' : ` in ${output}`}.`,
    );
  });
  return exitCodes.ok;
}

async function refuseExisting(file: string): Promise<void> {
  const exists = await access(file).then(
    () => true,
    () => false,
  );
  if (exists) {
    throw new AppError('MILLRACE_REQUEST_INVALID', `${file} is there already.`, {
      faults: [{ field: 'output', problem: 'is there already; name another file, or give --force' }],
    });
  }
}

/** Writes beside the file, to the disk, and renames: an export that breaks off leaves none that looks whole. */
async function writeWhole(bytes: Readable, file: string): Promise<void> {
  const partial = `${file}.partial`;
  try {
    await pipeline(bytes, createWriteStream(partial, { flush: true }));
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
