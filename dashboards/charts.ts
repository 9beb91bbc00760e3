import { PanelBuilder as BarChart } from '@grafana/grafana-foundation-sdk/barchart';
import { PanelBuilder as BarGauge } from '@grafana/grafana-foundation-sdk/bargauge';
import {
  BarGaugeDisplayMode,
  BarGaugeNamePlacement,
  BarGaugeValueMode,
  BigValueColorMode,
  BigValueGraphMode,
  GraphDrawStyle,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  type DynamicConfigValue,
  FieldColorBuilder,
  FieldColorModeId,
  MappingType,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard';
import {
  HeatmapColorMode,
  HeatmapColorOptionsBuilder,
  PanelBuilder as Heatmap,
  YAxisConfigBuilder,
} from '@grafana/grafana-foundation-sdk/heatmap';
import {
  PanelBuilder as PieChart,
  PieChartLegendOptionsBuilder,
  PieChartLegendValues,
  PieChartType,
} from '@grafana/grafana-foundation-sdk/piechart';
import { PanelBuilder as Stat } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as StateTimeline } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as TimeSeries } from '@grafana/grafana-foundation-sdk/timeseries';
import { type BoardPanel, boardPanel, type PanelBasics } from './panel.ts';

/*
 * Every kind of chart once, with what the SDK leaves out: legends are shown, tooltips list all series sorted, limits
 * are drawn. The preview in preview/ draws these kinds and no others.
 */

export interface TimeSeriesOptions extends PanelBasics {
  /** Lines unless told otherwise. */
  readonly draw?: 'lines' | 'areas' | 'bars';
  /** Whether series stand on each other. */
  readonly isStacked?: boolean;
  /** Colours of series whose name has a meaning. */
  readonly colours?: Readonly<Record<string, string>>;
  /** What the names of series end with that are limits: dashed, and nothing below them. */
  readonly limitSuffix?: string;
}

/** Values over time. */
export function timeSeries(options: TimeSeriesOptions): BoardPanel {
  const { draw = 'lines', isStacked = false, limits } = options;
  const builder = new TimeSeries()
    .drawStyle(draw === 'bars' ? GraphDrawStyle.Bars : GraphDrawStyle.Line)
    .lineWidth(draw === 'bars' ? 0 : 2)
    .fillOpacity({ lines: 8, areas: 30, bars: 85 }[draw])
    .showPoints(VisibilityMode.Never)
    .spanNulls(false)
    .axisSoftMin(0)
    .stacking(
      new StackingConfigBuilder().mode(isStacked ? StackingMode.Normal : StackingMode.None).group('A'),
    )
    .thresholdsStyle(
      new GraphThresholdsStyleConfigBuilder().mode(
        limits === undefined ? GraphThresholdsStyleMode.Off : GraphThresholdsStyleMode.Dashed,
      ),
    )
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName))
    .legend(legend())
    .tooltip(tooltip());
  for (const [name, color] of Object.entries(options.colours ?? {})) {
    builder.overrideByName(name, fixedColour(color));
  }
  if (options.limitSuffix !== undefined) builder.overrideByRegexp(`/ ${options.limitSuffix}$/`, dashedLine());
  return boardPanel(builder, options, 'series');
}

export interface StatOptions extends PanelBasics {
  /** Whether the course of the value is drawn behind it; its query then is of the range. */
  readonly hasCourse?: boolean;
}

/** One number. */
export function stat(options: StatOptions): BoardPanel {
  const { hasCourse = false, limits, height = 4 } = options;
  const builder = new Stat()
    .graphMode(hasCourse ? BigValueGraphMode.Area : BigValueGraphMode.None)
    .colorMode(limits === undefined ? BigValueColorMode.None : BigValueColorMode.Value)
    .reduceOptions(latest())
    .noValue('none');
  const isSql = options.queries.some(({ kind }) => kind === 'sql');
  return boardPanel(builder, { ...options, height }, isSql ? 'table' : hasCourse ? 'series' : 'latest');
}

export interface BarGaugeOptions extends PanelBasics {
  /** Whether every row of an SQL answer is a bar: its text is the name, its number the length. */
  readonly isPerRow?: boolean;
  /** Names whose bars the limits do not judge. */
  readonly unjudged?: readonly string[];
}

/** One bar a series, with its value beside it. */
export function barGauge(options: BarGaugeOptions): BoardPanel {
  const { isPerRow = false, unjudged = [], limits } = options;
  const builder = new BarGauge()
    .orientation(VizOrientation.Horizontal)
    .displayMode(BarGaugeDisplayMode.Basic)
    .valueMode(BarGaugeValueMode.Color)
    .namePlacement(BarGaugeNamePlacement.Left)
    .showUnfilled(true)
    .reduceOptions(isPerRow ? everyRow() : latest())
    .colorScheme(
      // Colours of a palette would say that one bar is good and another bad.
      limits === undefined
        ? new FieldColorBuilder().mode(FieldColorModeId.Fixed).fixedColor('blue')
        : new FieldColorBuilder().mode(FieldColorModeId.Thresholds),
    );
  for (const name of unjudged) builder.overrideByName(name, fixedColour('blue'));
  return boardPanel(builder, options, isPerRow ? 'table' : 'latest');
}

/** Shares of a whole. SQL answers give a slice a row. */
export function pieChart(options: PanelBasics): BoardPanel {
  const isSql = options.queries.some(({ kind }) => kind === 'sql');
  const builder = new PieChart()
    .pieType(PieChartType.Donut)
    .reduceOptions(isSql ? everyRow() : latest())
    .legend(
      new PieChartLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Right)
        .values([PieChartLegendValues.Value, PieChartLegendValues.Percent]),
    )
    .tooltip(tooltip())
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName));
  return boardPanel(builder, options, isSql ? 'table' : 'latest');
}

export interface BarChartOptions extends PanelBasics {
  /** The text column of the SQL answer that names the bars; the other columns are their values. */
  readonly nameColumn: string;
  readonly isStacked?: boolean;
  readonly colours?: Readonly<Record<string, string>>;
}

/** A group of bars for each row of an SQL answer. */
export function barChart(options: BarChartOptions): BoardPanel {
  const builder = new BarChart()
    .xField(options.nameColumn)
    .orientation(VizOrientation.Vertical)
    .stacking(options.isStacked === true ? StackingMode.Normal : StackingMode.None)
    .showValue(VisibilityMode.Auto)
    .fillOpacity(85)
    .barWidth(0.7)
    .xTickLabelMaxLength(24)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName))
    .legend(legend())
    .tooltip(tooltip());
  for (const [name, color] of Object.entries(options.colours ?? {})) {
    builder.overrideByName(name, fixedColour(color));
  }
  return boardPanel(builder, options, 'table');
}

export interface StateTimelineOptions extends PanelBasics {
  /** What each value is called and how it is coloured. */
  readonly states: readonly { readonly value: number; readonly text: string; readonly color: string }[];
}

/** Which state each series was in, over time. */
export function stateTimeline(options: StateTimelineOptions): BoardPanel {
  const mapping: ValueMapping = {
    type: MappingType.ValueToText,
    options: Object.fromEntries(
      options.states.map(({ value, text, color }, index) => [String(value), { text, color, index }]),
    ),
  };
  const builder = new StateTimeline()
    .mappings([mapping])
    .mergeValues(true)
    .showValue(VisibilityMode.Auto)
    .rowHeight(0.8)
    .fillOpacity(75)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .legend(legend())
    .tooltip(tooltip());
  return boardPanel(builder, options, 'series');
}

/** A histogram's buckets over time: the darker, the more. */
export function heatmap(options: PanelBasics): BoardPanel {
  const builder = new Heatmap()
    .calculate(false)
    .color(new HeatmapColorOptionsBuilder().mode(HeatmapColorMode.Scheme).scheme('Blues').steps(64))
    .yAxis(new YAxisConfigBuilder().unit(options.unit))
    .cellGap(1)
    .showLegend();
  return boardPanel(builder, options, 'heatmap');
}

function legend(): VizLegendOptionsBuilder {
  return new VizLegendOptionsBuilder()
    .showLegend(true)
    .displayMode(LegendDisplayMode.List)
    .placement(LegendPlacement.Bottom)
    .calcs([]);
}

function tooltip(): VizTooltipOptionsBuilder {
  // oxlint-disable-next-line unicorn/no-array-sort -- a builder's option, no array
  return new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending);
}

function fixedColour(fixedColor: string): DynamicConfigValue[] {
  return [{ id: 'color', value: { mode: 'fixed', fixedColor } }];
}

function dashedLine(): DynamicConfigValue[] {
  return [
    { id: 'custom.lineStyle', value: { fill: 'dash', dash: [8, 6] } },
    { id: 'custom.fillOpacity', value: 0 },
  ];
}

function latest(): ReduceDataOptionsBuilder {
  return new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false);
}

function everyRow(): ReduceDataOptionsBuilder {
  return new ReduceDataOptionsBuilder().calcs([]).values(true).limit(50);
}
