import type { Command } from 'commander';
import { usd } from '../../../kernel/money.ts';
import { type Bind, exitCodes, print, withStoreOptions } from '../../../terminal/command-context.ts';
import { cascadeText, hasCascades } from '../../../pricing/cascade-savings.ts';
import { unvaluedParts } from '../../../pricing/savings.ts';
import { renderTable, roundedUsd, formatCounted } from '../../../terminal/text-table.ts';
import { type CostContext, withCostReports } from '../command-costs.ts';
import { type PeriodOptions, periodParametersOf, withFilters, withPeriod } from '../cost-options.ts';
import { reportSavings } from './savings.ts';
import { parseSavingsParameters, type SavingsReportDocument } from './savings-document.ts';

interface SavingsOptions extends PeriodOptions {
  readonly json?: boolean;
}

/** `millrace costs savings`: the answer of GET /v1/costs/savings at the terminal. */
export function addSavingsCommand(costs: Command, context: CostContext, bind: Bind): void {
  const asked = withStoreOptions(costs.command('savings')).description(
    'what caching, cheaper tiers and cascades saved, and what bought nothing',
  );
  withPeriod(withFilters(asked))
    .option('--json', 'one JSON object, as the API answers')
    .action(
      bind(async (_: SavingsOptions, command: Command) => {
        // The options are those of `costs` as well, which takes them first.
        const options = command.optsWithGlobals<SavingsOptions>();
        const answer = await withCostReports(await context.installation(options), (reports, now) =>
          reportSavings(
            reports,
            parseSavingsParameters(periodParametersOf(options), now, reports.defaults),
            {},
          ),
        );
        print(context, options.json === true ? JSON.stringify(answer, undefined, 2) : savingsText(answer));
        return exitCodes.ok;
      }),
    );
}

function savingsText({ caching, tiers, cascade, waste, unvalued, from, to }: SavingsReportDocument): string {
  const rounded = (amount: string): string => roundedUsd(usd(amount));
  const rows = [
    ['caching', rounded(caching.paidUsd), rounded(caching.uncachedUsd), rounded(caching.savedUsd)],
    ...tiers.map(({ tier, paidUsd, standardUsd, savedUsd }) => [
      `tier ${tier}`,
      rounded(paidUsd),
      rounded(standardUsd),
      rounded(savedUsd),
    ]),
    ...(hasCascades(cascade)
      ? [['cascades', rounded(cascade.paidUsd), rounded(cascade.lastModelUsd), rounded(cascade.savedUsd)]]
      : []),
  ];
  return [
    renderTable(
      [
        { title: 'saved by' },
        { title: 'paid USD', align: 'right' },
        { title: 'without it USD', align: 'right' },
        { title: 'saved USD', align: 'right' },
      ],
      rows,
    ),
    '',
    ...(usd(caching.writeSurchargeUsd).isZero()
      ? []
      : [
          `Writing to caches cost ${rounded(caching.writeSurchargeUsd)} USD more than uncached input; it is taken off.`,
        ]),
    ...(hasCascades(cascade) ? [cascadeText(cascade, rounded)] : []),
    `Wasted: ${rounded(waste.wasteUsd)} USD${waste.causes.length === 0 ? '' : ` (${waste.causes.map(({ cause, costUsd }) => `${cause} ${rounded(costUsd)}`).join(', ')})`}.`,
    ...unvaluedParts(unvalued).map(
      ({ calls, which }) =>
        `In no saving: ${formatCounted(calls, 'call')} in another tier or with cached tokens, ${which}.`,
    ),
    'What reused answers saved is not known: they leave no record of a price.',
    `From ${from} to ${to}.`,
  ].join('\n');
}
