import type { Command } from 'commander';
import { usd } from '../../../kernel/money.ts';
import {
  type Bind,
  exitCodes,
  print,
  type StoreOptions,
  withStoreOptions,
} from '../../../terminal/command-context.ts';
import { roundedUsd } from '../../../terminal/text-table.ts';
import { type FilterOptions, filterParametersOf, withFilters } from '../cost-options.ts';

import { type CostContext, withCostReports } from '../command-costs.ts';
import { type ForecastDocument, parseForecastParameters } from './forecast-document.ts';
import { forecastMonth } from './spend-forecasts.ts';

interface ForecastOptions extends StoreOptions, FilterOptions {
  readonly timezone?: string;
  readonly json?: boolean;
}

/** `millrace costs forecast`: the answer of GET /v1/costs/forecast at the terminal. */
export function addForecastCommand(costs: Command, context: CostContext, bind: Bind): void {
  withFilters(withStoreOptions(costs.command('forecast')).description('what this month will have cost'))
    .option('--timezone <name>', 'whose month and days, as in Europe/Berlin; the setting without it')
    .option('--json', 'one JSON object, as the API answers')
    .action(
      bind(async (_: ForecastOptions, command: Command) => {
        // The options are those of `costs` as well, which takes them first.
        const options = command.optsWithGlobals<ForecastOptions>();
        const { timezone, json = false } = options;
        const parameters = {
          ...filterParametersOf(options),
          ...(timezone === undefined ? {} : { timezone }),
        };
        const forecast = await withCostReports(await context.installation(options), (reports, now) =>
          forecastMonth(reports, parseForecastParameters(parameters, reports.defaults), { now, viewer: {} }),
        );
        print(context, json ? JSON.stringify(forecast, undefined, 2) : forecastText(forecast));
        return exitCodes.ok;
      }),
    );
}

function forecastText(forecast: ForecastDocument): string {
  const { month, timeZone, spentUsd, expectedUsd, lowUsd, highUsd, historyDays, method } = forecast;
  const rounded = (amount: string): string => roundedUsd(usd(amount));
  const lines = [`Spent in ${month} so far: ${spentUsd} USD (days of ${timeZone}).`];
  if (expectedUsd === undefined) lines.push('There is no whole day yet from which to tell what is to come.');
  else {
    const range =
      lowUsd === undefined || highUsd === undefined
        ? ''
        : `, in 8 of 10 cases between ${rounded(lowUsd)} and ${rounded(highUsd)} USD`;
    const basis = method === 'weekday' ? 'by the weekdays' : 'by the mean';
    lines.push(
      `Expected for the whole month: ${rounded(expectedUsd)} USD${range}; ${basis} of ${historyDays} days.`,
    );
  }
  if (forecast.unpricedCalls > 0)
    lines.push(`${forecast.unpricedCalls} calls have no price and are not in it.`);
  if (!usd(forecast.openUpperBoundUsd).isZero())
    lines.push(`What is open can have cost at most ${forecast.openUpperBoundUsd} USD.`);
  return lines.join('\n');
}
