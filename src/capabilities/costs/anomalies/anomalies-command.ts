import type { Command } from 'commander';
import { usd } from '../../../kernel/money.ts';
import { type Bind, exitCodes, print, withStoreOptions } from '../../../terminal/command-context.ts';
import { formatCount, renderTable, roundedUsd } from '../../../terminal/text-table.ts';
import { type CostContext, withCostReports } from '../command-costs.ts';
import { type PeriodOptions, periodParametersOf, withFilters, withPeriod } from '../cost-options.ts';
import { costFilterFields } from '../cost-query.ts';
import { findAnomalies } from './anomalies.ts';
import { type AnomalyDocument, parseAnomalyParameters } from './anomaly-document.ts';

interface AnomalyOptions extends PeriodOptions {
  readonly by?: string;
  readonly threshold?: string;
  readonly json?: boolean;
}

/** `millrace costs anomalies`: the answer of GET /v1/costs/anomalies at the terminal. */
export function addAnomaliesCommand(costs: Command, context: CostContext, bind: Bind): void {
  const asked = withStoreOptions(costs.command('anomalies')).description(
    'hours in which much more or less was spent than usual',
  );
  withPeriod(withFilters(asked), 'the last 24 whole hours')
    .option(
      '--by <field>',
      `one of ${costFilterFields.join(', ')}, or a label (label:region); team without it`,
    )
    .option('--threshold <n>', 'deviations from the median from which an hour is unusual; 5 without it')
    .option('--json', 'one JSON object, as the API answers')
    .action(
      bind(async (_: AnomalyOptions, command: Command) => {
        // The options are those of `costs` as well, which takes them first.
        const options = command.optsWithGlobals<AnomalyOptions>();
        const { by, threshold, json = false } = options;
        const parameters = {
          ...periodParametersOf(options),
          ...(by === undefined ? {} : { by }),
          ...(threshold === undefined ? {} : { threshold }),
        };
        const answer = await withCostReports(await context.installation(options), (reports, now) =>
          findAnomalies(reports, parseAnomalyParameters(parameters, now, reports.defaults), {
            now,
            viewer: {},
          }),
        );
        print(context, json ? JSON.stringify(answer, undefined, 2) : anomaliesText(answer));
        return exitCodes.ok;
      }),
    );
}

const reasons: Readonly<Record<NonNullable<AnomalyDocument['reason']>, string>> = {
  no_records: 'There are no records.',
  too_little_history: 'Nothing is known for long enough to say what is usual.',
  nothing_unusual: 'Nothing is unusual.',
  not_exported: 'The records of these hours are still to come.',
};

function anomaliesText(answer: AnomalyDocument): string {
  const { by, anomalies, reason, baseline, names, judgedNames, from, to, timeZone, truncated } = answer;
  const table = renderTable(
    [
      { title: 'hour' },
      { title: by },
      { title: 'USD', align: 'right' },
      { title: 'usual USD', align: 'right' },
      { title: 'deviations', align: 'right' },
    ],
    anomalies.map(({ hour, name, direction, costUsd, usualUsd, score }) => [
      hour,
      name,
      roundedUsd(usd(costUsd)),
      roundedUsd(usd(usualUsd)),
      `${direction === 'high' ? '+' : '-'}${score}`,
    ]),
  );
  return [
    ...(reason === undefined ? [table, ''] : [reasons[reason]]),
    `From ${from} to ${to}, hours of ${timeZone}. Of ${formatCount(names)} names ${formatCount(judgedNames)} are known for ${baseline.minimumWeeks} weeks and judged, against the same hour of the last ${baseline.weeks}; differences under ${baseline.floorUsd} USD or ${baseline.threshold} deviations are usual.`,
    ...(truncated ? ['There are more that differ.'] : []),
  ].join('\n');
}
