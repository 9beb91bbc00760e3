import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import type { DashboardLink, Panel, ThresholdsConfig } from '@grafana/grafana-foundation-sdk/dashboard';
import { type ColourLimits, thresholdSteps } from './colour-limits.ts';
import {
  type AnswerShape,
  clickhouseSource,
  dataquery,
  prometheusSource,
  type PromQuery,
  type SqlQuery,
} from './data-queries.ts';

/* What every panel of a board has, whatever it draws. */

/** Grafana's ids of the units that the boards use. */
export type Unit =
  | 'short'
  | 'none'
  | 'locale'
  | 'string'
  | 's'
  | 'ms'
  | 'bytes'
  | 'Bps'
  | 'ops'
  | 'reqps'
  | 'mps'
  | 'recps'
  | 'percentunit'
  | 'currencyUSD'
  | 'dateTimeAsIso'
  | 'suffix:×';

/** Title, meaning, size and questions of a panel. */
export interface PanelBasics {
  readonly title: string;
  /** What is seen and what to make of it; one or two sentences. */
  readonly description: string;
  readonly unit: Unit;
  /** Of the 24 columns. */
  readonly width: number;
  /** Of rows of 30 pixels; every panel of a line has the same. */
  readonly height?: number;
  readonly queries: readonly (PromQuery | SqlQuery)[];
  readonly limits?: ColourLimits;
  readonly decimals?: number;
  readonly min?: number;
  readonly max?: number;
  /** The shortest step between two points, such as "1h". */
  readonly minInterval?: string;
}

/** A panel that a board can lay out. */
export interface BoardPanel {
  readonly title: string;
  readonly description: string;
  readonly width: number;
  readonly height: number;
  build(): Panel;
}

/** What all of the SDK's panel builders have. */
interface AnyPanelBuilder extends Builder<Panel> {
  title(title: string): this;
  description(description: string): this;
  unit(unit: string): this;
  decimals(decimals: number): this;
  min(min: number): this;
  max(max: number): this;
  thresholds(thresholds: Builder<ThresholdsConfig>): this;
  datasource(source: { type: string; uid: string }): this;
  withTarget(target: Builder<Dataquery>): this;
  interval(interval: string): this;
  dataLinks(links: Builder<DashboardLink>[]): this;
}

const defaultHeight = 8;

/** Gives a builder what all panels have, and makes it a panel of a board. */
export function boardPanel(builder: AnyPanelBuilder, basics: PanelBasics, shape: AnswerShape): BoardPanel {
  const { title, description, unit, width, height = defaultHeight, queries, limits } = basics;
  const isSql = queries.some(({ kind }) => kind === 'sql');
  builder
    .title(title)
    .description(description)
    .unit(unit)
    .thresholds(thresholdSteps(limits))
    .datasource(isSql ? clickhouseSource : prometheusSource);
  if (basics.decimals !== undefined) builder.decimals(basics.decimals);
  if (basics.min !== undefined) builder.min(basics.min);
  if (basics.max !== undefined) builder.max(basics.max);
  if (basics.minInterval !== undefined) builder.interval(basics.minInterval);
  for (const [index, query] of queries.entries()) builder.withTarget(dataquery(query, shape, index));
  return { title, description, width, height, build: () => builder.build() };
}
