import { type Command, InvalidArgumentError } from 'commander';
import { usd } from '../../kernel/money.ts';
import type { StoreOptions } from '../../terminal/command-context.ts';
import { namesOption } from '../../terminal/option-values.ts';
import { costFilterFields, type CostFilters } from './cost-query.ts';

/* The filters of costs as options of commands. */

/** The filters among a command's options. */
export type FilterOptions = Pick<CostFilters, (typeof costFilterFields)[number]> & {
  /** Each as "region=eu". */
  readonly label?: readonly string[];
};

/** Adds `--team` and so on, each of which may be repeated. */
export function withFilters(command: Command): Command {
  for (const field of costFilterFields) {
    command.option(`--${field} <${field}>`, `only of this ${field}; repeat it for more`, namesOption);
  }
  return command.option(
    '--label <key=value>',
    'only of work with this label; repeat it for more',
    labelOption,
  );
}

/** What was given of them, as parameters of a question. */
export function filterParametersOf(options: FilterOptions): Readonly<Record<string, unknown>> {
  const ofFields = costFilterFields.flatMap((field): (readonly [string, unknown])[] => {
    const values = options[field];
    return values === undefined ? [] : [[field, values]];
  });
  const labels = Map.groupBy(options.label ?? [], (text) => `label:${text.slice(0, text.indexOf('='))}`);
  const ofLabels = [...labels].map(([field, texts]): readonly [string, unknown] => [
    field,
    texts.map((text) => text.slice(text.indexOf('=') + 1)),
  ]);
  return Object.fromEntries<unknown>([...ofFields, ...ofLabels]);
}

function labelOption(text: string, before: readonly string[] = []): readonly string[] {
  if (/^[^=]+=./.test(text)) return [...before, text];
  throw new InvalidArgumentError('It is a key and a value, as in region=eu.');
}

/** The options of a period, with the filters. */
export interface PeriodOptions extends StoreOptions, FilterOptions {
  readonly from?: string;
  readonly to?: string;
  readonly timezone?: string;
}

/** Adds `--from`, `--to` and `--timezone`. */
export function withPeriod(command: Command, period = '30 days to now'): Command {
  return command
    .option('--from <time>', `first moment: 2026-03-01 or 2026-03-01T12:00:00Z; ${period} without it`)
    .option('--to <time>', 'last moment, excluded; now without it')
    .option('--timezone <name>', 'whose days, weeks and months, as in Europe/Berlin; the setting without it');
}

/** What was given of them and of the filters, as parameters of a question. */
export function periodParametersOf({
  from,
  to,
  timezone,
  ...options
}: PeriodOptions): Readonly<Record<string, unknown>> {
  return {
    ...filterParametersOf(options),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(timezone === undefined ? {} : { timezone }),
  };
}

/** A ratio in percent. */
export function shownRatio(ratio: string | undefined): string {
  return ratio === undefined ? '' : `${usd(ratio).times(100).toFixed(1)} %`;
}
