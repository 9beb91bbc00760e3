import { Readable } from 'node:stream';
import { type Command, Option } from 'commander';
import { isUuid } from '../../../kernel/ids.ts';
import {
  type Bind,
  type CommandContext,
  exitCodes,
  print,
  type StoreOptions,
  tell,
  withStoreOptions,
} from '../../../terminal/command-context.ts';
import { nameOption } from '../../../terminal/option-values.ts';
import { refuseExisting, writeWhole } from '../../../terminal/output-file.ts';
import { formatCounted } from '../../../terminal/text-table.ts';
import type { BatchReportSettings } from './command-report.ts';
import { reportText } from './report-text.ts';

interface ReportOptions extends StoreOptions {
  readonly team?: string;
  readonly html?: string;
  readonly json?: boolean;
  readonly force?: boolean;
}

/** `millrace batch report`: the answer of GET /v1/batches/{id}/report at the terminal, or as a page in a file. */
export function addReportCommand(
  batch: Command,
  context: CommandContext<BatchReportSettings>,
  bind: Bind,
): void {
  withStoreOptions(batch.command('report'))
    .description('what a batch came to: items, time, cost, waste, savings; so far while it runs')
    .argument('<batch>', 'the name or the id of the batch')
    .option('--team <team>', 'its team, where several have a batch of the name', nameOption)
    .addOption(new Option('--html <file>', 'write a page for people and printers').conflicts('json'))
    .option('--json', 'one JSON object, as the API answers')
    .option('--force', 'replace the file if there is one')
    .action(bind((name: string, options: ReportOptions) => writeReport(context, name, options)));
}

async function writeReport(
  context: CommandContext<BatchReportSettings>,
  name: string,
  options: ReportOptions,
): Promise<number> {
  const { team, html: file, json = false, force = false } = options;
  if (file !== undefined && !force) await refuseExisting(file, 'html');
  const { withBatchReports } = await import('./command-report.ts');
  const id = name.toLowerCase();
  const report = await withBatchReports(await context.installation(options), (reports) =>
    reports.read(isUuid(id) ? { kind: 'id', id } : { kind: 'name', name, team }, { team }),
  );
  if (file === undefined) {
    print(context, json ? JSON.stringify(report, undefined, 2) : reportText(report));
  } else {
    const { renderReportHtml } = await import('./report-html.ts');
    await writeWhole(Readable.from([renderReportHtml(report, { isServed: false })]), file, 'html');
    tell(
      context,
      `${report.cost.totalUsd} USD for ${formatCounted(report.items.total, 'item')}, in ${file}.`,
    );
  }
  return exitCodes.ok;
}
