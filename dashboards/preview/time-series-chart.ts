import type { EChartsOption, SeriesOption } from 'echarts';
import type { GeneratedPanel } from '../live/generated-board.ts';
import type { BoardView } from '../live/grafana-macros.ts';
import type { DataSeries } from '../live/panel-data.ts';
import { valueAxis } from './axis.ts';
import { chartSvg } from './chart-svg.ts';
import { colourNamed, coloursOf, page, propertyOf } from './colours.ts';
import type { Size } from './html.ts';
import { legendOf } from './legend.ts';
import type { Mark } from './marks.ts';
import { timeText } from './time-text.ts';

/* Lines, areas and bars over time, with the limits of the panel as dashed lines. */

/** In pixels, roughly: the names of values, and half the text of a time less the margin at its right. */
const axisWidth = 60;
const halfLabelWidth = 16;
const pixelsALabel = 110;

/** The chart with its legend. */
export function timeSeriesChart(
  panel: GeneratedPanel,
  answered: readonly DataSeries[],
  { view, marks }: { readonly view: BoardView; readonly marks: readonly Mark[] },
  { width, height }: Size,
): string {
  const series = answered.filter(({ points }) => points.some(([, value]) => Number.isFinite(value)));
  const colours = coloursOf(
    panel,
    series.map(({ name }) => name),
  );
  const legend = legendOf(
    series.map(({ name }) => ({ name, colour: colours.get(name) ?? page.text })),
    width,
  );
  const chartSize = { width, height: height - legend.height };
  return chartSvg(optionOf(panel, series, { view, marks, colours, width }), chartSize) + legend.html;
}

function optionOf(
  panel: GeneratedPanel,
  series: readonly DataSeries[],
  {
    view,
    marks,
    colours,
    width,
  }: {
    readonly view: BoardView;
    readonly marks: readonly Mark[];
    readonly colours: ReadonlyMap<string, string>;
    readonly width: number;
  },
): EChartsOption {
  const { unit, decimals, min, max, custom = {} } = panel.fieldConfig?.defaults ?? {};
  const known = [...new Set(series.flatMap(({ points }) => points.map(([seconds]) => seconds)))].toSorted(
    (left, right) => left - right,
  );
  const times = withGaps(known, view.stepSeconds);
  const secondsPerPixel = (view.toSeconds - view.fromSeconds) / Math.max(1, width - axisWidth);
  const lastLabelMs = (view.toSeconds - halfLabelWidth * secondsPerPixel) * 1000;
  const isStacked = custom.stacking?.mode === 'normal';
  const values = series.flatMap(({ points }) => points.map(([, value]) => value)).filter(Number.isFinite);
  return {
    grid: { left: 8, right: 14, top: 10, bottom: 4, containLabel: true },
    xAxis: {
      type: 'time',
      min: view.fromSeconds * 1000,
      max: view.toSeconds * 1000,
      splitNumber: Math.max(2, Math.min(4, Math.floor(width / pixelsALabel))),
      axisLabel: {
        color: page.muted,
        fontSize: 11,
        hideOverlap: true,
        // Where it would be cut at the right edge, a label is left out.
        formatter: (milliseconds: number) => (milliseconds > lastLabelMs ? '' : timeText(milliseconds, view)),
      },
      axisLine: { lineStyle: { color: page.border } },
      splitLine: { show: true, lineStyle: { color: page.border } },
    },
    yAxis: valueAxis({ unit, decimals, min, max, highest: Math.max(0, ...values) }),
    series: series.map((one, index) => {
      const color = colours.get(one.name) ?? page.text;
      return {
        ...seriesOption(one, { color, times, isStacked, custom, panel }),
        ...(index === 0 ? linesOf(panel, marks) : {}),
      };
    }),
  };
}

function seriesOption(
  { name, points }: DataSeries,
  {
    color,
    times,
    isStacked,
    custom,
    panel,
  }: {
    readonly color: string;
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
  const stack = isStacked ? { stack: 'all' } : {};
  const style = propertyOf(panel, name, 'custom.lineStyle') as { readonly fill: string } | undefined;
  const isDashed = style?.fill === 'dash';
  const opacity = isDashed ? 0 : (custom.fillOpacity ?? 0) / 100;
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
    lineStyle: { width: 1.5, color, type: isDashed ? 'dashed' : 'solid' },
    itemStyle: { color },
    areaStyle: { color, opacity },
  };
}

/** The times with one more in every hole, at which no series has a value: no line may lead over it. */
export function withGaps(times: readonly number[], stepSeconds: number): number[] {
  return times.flatMap((seconds, index) => {
    const next = times[index + 1];
    const isHole = next !== undefined && next - seconds > 1.5 * stepSeconds;
    return isHole ? [seconds, seconds + stepSeconds] : [seconds];
  });
}

/** Limits lie, what happened stands. */
function linesOf(panel: GeneratedPanel, marks: readonly Mark[]): object {
  const { thresholds, custom } = panel.fieldConfig?.defaults ?? {};
  const hasLimits = (custom?.thresholdsStyle?.mode ?? 'off') !== 'off';
  const limits = (hasLimits ? (thresholds?.steps ?? []) : []).flatMap(({ value, color }) =>
    value === null
      ? []
      : [{ yAxis: value, lineStyle: { color: colourNamed(color), type: 'dashed', width: 1.5 } }],
  );
  const moments = marks.map(({ seconds, colour }) => ({
    xAxis: seconds * 1000,
    lineStyle: { color: colour, type: [3, 4], width: 1, opacity: 0.75 },
  }));
  return {
    markLine: { silent: true, symbol: 'none', label: { show: false }, data: [...limits, ...moments] },
  };
}
