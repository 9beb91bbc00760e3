import { type Command, Option } from 'commander';
import { renderCostCsv } from './cost-csv.ts';
import { costOrders, parseCostParameters } from './cost-parameters.ts';
import type { CostReportDocument } from './cost-report-document.ts';
import { type CostContext, withCostReports } from './command-costs.ts';
import { usd } from '../../kernel/money.ts';
import { type PeriodOptions, periodParametersOf, withFilters, withPeriod } from './cost-options.ts';
import { costGroupFields, messageCounts } from './cost-query.ts';
import { addAnomaliesCommand } from './anomalies/anomalies-command.ts';
import { addConcentrationCommand } from './concentration/concentration-command.ts';
import { openLines } from './open-lines.ts';
import { addForecastCommand } from './forecast/forecast-command.ts';
import { addSavingsCommand } from './savings/savings-command.ts';
import { addStatementCommand } from './statements/statement-command.ts';
import { type Bind, exitCodes, print, withStoreOptions } from '../../terminal/command-context.ts';
import { shownText } from '../../terminal/shown-text.ts';
import {
  formatCount,
  renderTable,
  roundedUsd,
  type TableColumn,
  tableDigits,
} from '../../terminal/text-table.ts';

interface CostsOptions extends PeriodOptions {
  readonly groupBy?: string;
  readonly order?: string;
  readonly limit?: string;
  readonly messages?: string;
  readonly compare?: boolean;
  readonly completed?: boolean;
  readonly json?: boolean;
  readonly csv?: boolean;
}

/** `millrace costs`: the report of GET /v1/costs at the terminal. */
export function addCostsCommand(program: Command, context: CostContext, bind: Bind): void {
  const command = withStoreOptions(program.command('costs')).description('what was spent, by any fields');
  withPeriod(withFilters(command))
    .option(
      '--group-by <fields>',
      `one or more of ${costGroupFields.join(', ')} and labels (label:region), separated by commas`,
    )
    .option('--compare', 'with the previous period of equal length')
    .option('--completed', 'with messages that completed, and what each cost')
    .option(
      '--order <field>',
      `one of ${costOrders.join(', ')}; a minus puts the greatest first; -cost without it`,
    )
    .option('--limit <n>', 'the most groups that are shown')
    .option('--messages <how>', `how messages are counted: ${messageCounts.join(', ')}; estimated without it`)
    .addOption(new Option('--json', 'one JSON object, as the API answers').conflicts('csv'))
    .addOption(new Option('--csv', 'CSV, as the API answers').conflicts('json'))
    .action(bind((options: CostsOptions) => showCosts(context, options)));
  addAnomaliesCommand(command, context, bind);
  addConcentrationCommand(command, context, bind);
  addForecastCommand(command, context, bind);
  addSavingsCommand(command, context, bind);
  addStatementCommand(command, context, bind);
}

async function showCosts(context: CostContext, options: CostsOptions): Promise<number> {
  const { groupBy, order, limit, messages, compare, completed } = options;
  const parameters: Readonly<Record<string, unknown>> = {
    ...periodParametersOf(options),
    ...(order === undefined ? {} : { order }),
    ...(groupBy === undefined ? {} : { group_by: groupBy }),
    ...(limit === undefined ? {} : { limit }),
    ...(messages === undefined ? {} : { messages }),
    ...(compare === true ? { compare: 'previous' } : {}),
    ...(completed === true ? { completed: 'true' } : {}),
  };
  const report = await withCostReports(await context.installation(options), (reports, now) =>
    reports.report(parseCostParameters(parameters, now, reports.defaults), {}),
  );
  if (options.json === true) print(context, JSON.stringify(report, undefined, 2));
  else if (options.csv === true) context.stdout.write(shownText(renderCostCsv(report)));
  else print(context, costText(report));
  return exitCodes.ok;
}

const figureColumns: readonly TableColumn[] = [
  { title: 'USD', align: 'right' },
  { title: 'waste USD', align: 'right' },
  { title: 'calls', align: 'right' },
  { title: 'input tokens', align: 'right' },
  { title: 'output tokens', align: 'right' },
  { title: 'messages', align: 'right' },
];

function costText(report: CostReportDocument): string {
  const { groupBy, groups, totals, from, to, timeZone, truncated, messageCount } = report;
  const rows = groups.map((group) => [
    ...groupBy.map((field) => group.key[field] ?? ''),
    ...figuresOf(group),
    ...extrasOf(report, group),
  ]);
  const columns = [...groupBy.map((field) => ({ title: field })), ...figureColumns, ...extraColumns(report)];
  const total = [
    ...groupBy.map((_, index) => (index === 0 ? 'total' : '')),
    ...figuresOf(totals),
    ...extrasOf(report, totals),
  ];
  return [
    renderTable(columns, [...rows, total]),
    '',
    `From ${from} to ${to}${timeZone === 'UTC' ? '' : `, days of ${timeZone}`}. Amounts are rounded to ${tableDigits} digits; the exact total is ${totals.costUsd} USD.`,
    ...(messageCount === 'estimated' ? ['Messages are estimated; --messages exact counts them.'] : []),
    ...(truncated ? ['There are more groups; the total covers them.'] : []),
    ...(report.previous === undefined
      ? []
      : [`Compared with ${report.previous.from} to ${report.previous.to}.`]),
    ...(report.completedUnavailable === undefined ? [] : [report.completedUnavailable]),
    ...openLines(totals),
  ].join('\n');
}

function extraColumns({ previous, totals }: CostReportDocument): TableColumn[] {
  return [
    ...(previous === undefined ? [] : ['USD before', 'change USD', 'change']),
    ...(totals.completedMessages === undefined ? [] : ['completed', 'USD each']),
  ].map((title) => ({ title, align: 'right' }));
}

function extrasOf(report: CostReportDocument, figures: CostReportDocument['totals']): string[] {
  const { previous, changeUsd = '0', changeRatio, completedMessages, costPerCompletedUsd } = figures;
  return [
    ...(report.previous === undefined
      ? []
      : [
          roundedUsd(usd(previous?.costUsd ?? '0')),
          roundedUsd(usd(changeUsd)),
          changeRatio === undefined ? 'new' : `${usd(changeRatio).times(100).toFixed(1)} %`,
        ]),
    ...(completedMessages === undefined
      ? []
      : [
          formatCount(completedMessages),
          costPerCompletedUsd === undefined ? '' : roundedUsd(usd(costPerCompletedUsd)),
        ]),
  ];
}

function figuresOf(figures: CostReportDocument['totals']): string[] {
  return [
    roundedUsd(usd(figures.costUsd)),
    roundedUsd(usd(figures.wasteUsd)),
    formatCount(figures.calls),
    formatCount(figures.inputTokens),
    formatCount(figures.outputTokens),
    figures.messages === undefined ? '' : formatCount(figures.messages),
  ];
}
