import type { EChartsOption, SeriesOption } from 'echarts';
import type { GeneratedPanel } from '../live/generated-board.ts';
import type { BoardView } from '../live/grafana-macros.ts';
import type { DataSeries } from '../live/panel-data.ts';
import { chartSvg } from './chart-svg.ts';
import { colourNamed, colourOf, page } from './colours.ts';
import { formatValue } from './format-value.ts';
import type { Size } from './html.ts';
import { legendOf } from './legend.ts';

/* Lines, areas and bars over time, with the limits of the panel as dashed lines. */

/** The chart with its legend. */
export function timeSeriesChart(
  panel: GeneratedPanel,
  answered: readonly DataSeries[],
  view: BoardView,
  { width, height }: Size,
): string {
  const series = answered.filter(({ points }) => points.some(([, value]) => Number.isFinite(value)));
  const legend = legendOf(
    series.map(({ name }, index) => ({ name, colour: colourOf(panel, name, index) })),
    width,
  );
  const chartSize = { width, height: height - legend.height };
  return chartSvg(optionOf(panel, series, view), chartSize) + legend.html;
}

function optionOf(panel: GeneratedPanel, series: readonly DataSeries[], view: BoardView): EChartsOption {
  const { unit, decimals, min, max, custom = {} } = panel.fieldConfig?.defaults ?? {};
  const times = [...new Set(series.flatMap(({ points }) => points.map(([seconds]) => seconds)))].toSorted(
    (left, right) => left - right,
  );
  const isStacked = custom.stacking?.mode === 'normal';
  return {
    grid: { left: 8, right: 14, top: 10, bottom: 4, containLabel: true },
    xAxis: {
      type: 'time',
      min: view.fromSeconds * 1000,
      max: view.toSeconds * 1000,
      splitNumber: 4,
      axisLabel: { color: page.muted, fontSize: 11, hideOverlap: true, formatter: timeText },
      axisLine: { lineStyle: { color: page.border } },
      splitLine: { show: true, lineStyle: { color: page.border } },
    },
    yAxis: {
      type: 'value',
      min: min ?? ((extent: { min: number }) => Math.min(0, extent.min)),
      ...(max === undefined ? {} : { max }),
      splitNumber: 4,
      ...(max === 1 ? { interval: 0.25 } : {}),
      axisLabel: {
        color: page.muted,
        fontSize: 11,
        formatter: (value: number) => formatValue(value, unit, decimals),
      },
      splitLine: { lineStyle: { color: page.border } },
    },
    series: series.map((one, index) => seriesOption(one, { index, times, isStacked, custom, panel })),
  };
}

function seriesOption(
  { name, points }: DataSeries,
  {
    index,
    times,
    isStacked,
    custom,
    panel,
  }: {
    readonly index: number;
    readonly times: readonly number[];
    readonly isStacked: boolean;
    readonly custom: { readonly drawStyle?: string; readonly fillOpacity?: number };
    readonly panel: GeneratedPanel;
  },
): SeriesOption {
  const values = new Map(points);
  const absent = isStacked ? 0 : null;
  const data = times.map((seconds): [number, number | null] => {
    const value = values.get(seconds);
    return [seconds * 1000, value === undefined || !Number.isFinite(value) ? absent : value];
  });
  const color = colourOf(panel, name, index);
  const stack = isStacked ? { stack: 'all' } : {};
  const opacity = (custom.fillOpacity ?? 0) / 100;
  if (custom.drawStyle === 'bars') {
    return { type: 'bar', name, data, ...stack, barMaxWidth: 24, itemStyle: { color, opacity } };
  }
  return {
    type: 'line',
    name,
    data,
    ...stack,
    showSymbol: points.length === 1,
    symbolSize: 4,
    lineStyle: { width: 1.5, color },
    itemStyle: { color },
    areaStyle: { color, opacity },
    ...(index === 0 ? limitLines(panel) : {}),
  };
}

function limitLines(panel: GeneratedPanel): object {
  const { thresholds, custom } = panel.fieldConfig?.defaults ?? {};
  if ((custom?.thresholdsStyle?.mode ?? 'off') === 'off') return {};
  const data = (thresholds?.steps ?? []).flatMap(({ value, color }) =>
    value === null
      ? []
      : [{ yAxis: value, lineStyle: { color: colourNamed(color), type: 'dashed', width: 1.5 } }],
  );
  return { markLine: { silent: true, symbol: 'none', label: { show: false }, data } };
}

/** "14:05" or "14:05:30". */
export function timeText(milliseconds: number): string {
  const text = new Date(milliseconds).toISOString().slice(11, 19);
  return text.endsWith(':00') ? text.slice(0, 5) : text;
}
