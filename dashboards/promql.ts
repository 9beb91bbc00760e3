import type { metricCatalogue } from '../src/host/metric-catalogue.ts';
import { metricPrefix } from '../src/telemetry/metric-definition.ts';

/*
 * PromQL in the few shapes that boards need. Names of metrics are checked by the compiler, their labels by the tests.
 * Counters are only ever seen through rate() or increase().
 */

type MetricName = keyof typeof metricCatalogue;

export interface Selection {
  /** Labels that stay. */
  readonly by?: readonly string[];
  /** Label matchers, as PromQL writes them between the braces. */
  readonly where?: string;
}

export interface WindowedSelection extends Selection {
  /** The range of rate() or increase(). */
  readonly window?: string;
}

/** What the variables `owner` and `stage` select. */
export const ofStage = 'owner=~"$owner",stage=~"$stage"';
/** What the variables `provider` and `model` select. */
export const ofModel = 'provider=~"$provider",model=~"$model"';

const panelWindow = '$__rate_interval';

/** The series of a metric. */
export function series(name: MetricName, where = ''): string {
  return `${metricPrefix}${name}${where === '' ? '' : `{${where}}`}`;
}

/** Increases a second, added up over everything that is not named. */
export function sumOfRates(
  name: MetricName,
  { by, where, window = panelWindow }: WindowedSelection = {},
): string {
  return `${aggregated('sum', by)}(rate(${series(name, where)}[${window}]))`;
}

/** Increases in the window, added up over everything that is not named. */
export function sumOfIncreases(
  name: MetricName,
  { by, where, window = panelWindow }: WindowedSelection = {},
): string {
  return `${aggregated('sum', by)}(increase(${series(name, where)}[${window}]))`;
}

/** A gauge that every process reports alike. */
export function maximum(name: MetricName, { by, where }: Selection = {}): string {
  return `${aggregated('max', by)}(${series(name, where)})`;
}

/** A gauge of which the lowest value that a process reports is the newest. */
export function minimum(name: MetricName, { by, where }: Selection = {}): string {
  return `${aggregated('min', by)}(${series(name, where)})`;
}

/** A gauge of which every process has a part. */
export function total(name: MetricName, { by, where }: Selection = {}): string {
  return `${aggregated('sum', by)}(${series(name, where)})`;
}

/** A gauge that every process reports alike for each set of `labels`, added up over those that are not named in `by`. */
export function sumOfMaxima(
  name: MetricName,
  { labels, by, where }: Selection & { readonly labels: readonly string[] },
): string {
  return `${aggregated('sum', by)}(${maximum(name, { by: labels, ...(where === undefined ? {} : { where }) })})`;
}

/** A quantile of a histogram. */
export function quantile(
  share: number,
  name: MetricName,
  { by = [], where = '', window = panelWindow }: WindowedSelection = {},
): string {
  const buckets = `${metricPrefix}${name}_bucket${where === '' ? '' : `{${where}}`}`;
  return `histogram_quantile(${share}, ${aggregated('sum', ['le', ...by])}(rate(${buckets}[${window}])))`;
}

/** How many observations of each bucket fell into a step. */
export function heat(name: MetricName, where: string): string {
  return `sum by (le) (increase(${metricPrefix}${name}_bucket{${where}}[${panelWindow}]))`;
}

function aggregated(operator: 'sum' | 'max' | 'min', by: readonly string[] = []): string {
  return by.length === 0 ? operator : `${operator} by (${by.join(', ')}) `;
}
