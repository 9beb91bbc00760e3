import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Command, Option } from 'commander';
import {
  type Bind,
  type CommandContext,
  exitCodes,
  type StoreOptions,
  tell,
  withStoreOptions,
} from '../../../terminal/command-context.ts';
import { formatCounted } from '../../../terminal/text-table.ts';
import type { CostSettings } from '../cost-settings.ts';
import { refuseExisting, writeWhole } from '../../../terminal/output-file.ts';
import { type FilterOptions, filterParametersOf, withFilters } from '../cost-options.ts';

import type { FocusRow } from './focus-columns.ts';
import { FocusExports } from './focus-export.ts';
import { focusFile, type FocusFormat, focusFormats } from './focus-file.ts';
import { parseFocusParameters } from './focus-parameters.ts';
import { focusGrains } from './focus-query.ts';

interface ExportOptions extends StoreOptions, FilterOptions {
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
  withFilters(command)
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

async function exportFocus(
  context: CommandContext<{ readonly costs: CostSettings }>,
  options: ExportOptions,
): Promise<number> {
  const { from, to, granularity, tokenDetails, format, output, force = false } = options;
  const parameters: Readonly<Record<string, unknown>> = {
    ...filterParametersOf(options),
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
          context.stderr.write(
            `\r${formatCounted(count, 'row')}, up to ${rows.at(-1)?.ChargePeriodEnd ?? ''}`,
          );
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
      `${formatCounted(count, 'row')} from ${request.from.toISOString()} to ${request.to.toISOString()}${output === undefined ? '' : ` in ${output}`}.`,
    );
  });
  return exitCodes.ok;
}
