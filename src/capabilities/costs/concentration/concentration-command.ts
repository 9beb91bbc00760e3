import type { Command } from 'commander';
import { usd } from '../../../kernel/money.ts';
import { type Bind, exitCodes, print, withStoreOptions } from '../../../terminal/command-context.ts';
import { formatCount, renderTable, roundedUsd } from '../../../terminal/text-table.ts';
import { type CostContext, withCostReports } from '../command-costs.ts';
import {
  type PeriodOptions,
  periodParametersOf,
  shownRatio,
  withFilters,
  withPeriod,
} from '../cost-options.ts';
import { type ConcentrationDocument, parseConcentrationParameters } from './concentration-document.ts';
import { rankedFields } from './concentration-query.ts';
import { readConcentration } from './concentrations.ts';

interface ConcentrationOptions extends PeriodOptions {
  readonly by: string;
  readonly top?: string;
  readonly json?: boolean;
}

/** `millrace costs concentration`: the answer of GET /v1/costs/concentration at the terminal. */
export function addConcentrationCommand(costs: Command, context: CostContext, bind: Bind): void {
  const asked = withStoreOptions(costs.command('concentration')).description(
    'what costs most, and its share of the spend',
  );
  withPeriod(withFilters(asked))
    .requiredOption('--by <field>', `one of ${rankedFields.join(', ')}, or a label (label:region)`)
    .option('--top <n>', 'names that are listed; 10 without it')
    .option('--json', 'one JSON object, as the API answers')
    .action(
      bind(async (_: ConcentrationOptions, command: Command) => {
        // The options are those of `costs` as well, which takes them first.
        const options = command.optsWithGlobals<ConcentrationOptions>();
        const { by, top, json = false } = options;
        const parameters = { ...periodParametersOf(options), by, ...(top === undefined ? {} : { top }) };
        const answer = await withCostReports(await context.installation(options), (reports, now) =>
          readConcentration(reports, parseConcentrationParameters(parameters, now, reports.defaults), {}),
        );
        print(context, json ? JSON.stringify(answer, undefined, 2) : concentrationText(answer));
        return exitCodes.ok;
      }),
    );
}

function concentrationText({
  by,
  from,
  to,
  totals,
  names,
  top,
  parts,
  unnamed,
  source,
}: ConcentrationDocument): string {
  const table = renderTable(
    [
      { title: by },
      { title: 'USD', align: 'right' },
      { title: 'share', align: 'right' },
      { title: 'with all above', align: 'right' },
      { title: 'calls', align: 'right' },
    ],
    top.map(({ name, costUsd, share, cumulativeShare, calls }) => [
      name,
      roundedUsd(usd(costUsd)),
      shownRatio(share),
      shownRatio(cumulativeShare),
      formatCount(calls),
    ]),
  );
  return [
    table,
    '',
    ...(names === 0
      ? [`No ${by} has records.`]
      : parts.map(
          ({ percent, names: count, costUsd, share }) =>
            `The most expensive ${percent} % (${formatCount(count)} of ${formatCount(names)}) cost ${roundedUsd(usd(costUsd))} USD, ${shownRatio(share)} of all.`,
        )),
    ...(usd(unnamed.costUsd).isZero() && unnamed.calls === 0
      ? []
      : [`${unnamed.costUsd} USD of ${formatCount(unnamed.calls)} calls have no ${by}.`]),
    `From ${from} to ${to}; the exact total is ${totals.costUsd} USD. Read from ${source === 'both' ? 'rollups and records' : source}.`,
  ].join('\n');
}
