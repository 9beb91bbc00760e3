import type { GeneratedPanel } from '../live/generated-board.ts';
import type { BoardView } from '../live/grafana-macros.ts';
import type { DataSeries, DataTable } from '../live/panel-data.ts';
import { valueAxis } from './axis.ts';
import { chartSvg } from './chart-svg.ts';
import { coloursOf, page } from './colours.ts';
import { formatValue } from './format-value.ts';
import { escaped, type Size } from './html.ts';
import { legendOf } from './legend.ts';
import { timeText } from './time-text.ts';

/* Charts that are not lines over time: bars by name, slices, buckets over time. */

const maxNameLength = 24;
const scaleHeight = 22;
const heatColours = ['#1a2a40', '#2f6db5', '#8AB8FF', '#e8f1ff'] as const;

/** A group of bars for each row: one text column names it, the number columns are its values. */
export function barChart(panel: GeneratedPanel, table: DataTable, { width, height }: Size): string {
  const { unit, decimals, max } = panel.fieldConfig?.defaults ?? {};
  const nameIndex = table.columns.findIndex(({ name }) => name === panel.options?.xField);
  const values = table.columns.flatMap(({ name, isNumber }, index) => (isNumber ? [{ name, index }] : []));
  const colours = coloursOf(
    panel,
    values.map(({ name }) => name),
  );
  const colourOf = (name: string): string => colours.get(name) ?? page.text;
  const legend = legendOf(
    values.map(({ name }) => ({ name, colour: colourOf(name) })),
    width,
  );
  const isStacked = panel.options?.stacking === 'normal';
  const names = table.rows.map((row) => String(row[nameIndex] ?? ''));
  const option = {
    grid: { left: 8, right: 8, top: 22, bottom: 4, containLabel: true },
    xAxis: {
      type: 'category' as const,
      data: names.map((name) =>
        name.length > maxNameLength ? `${name.slice(0, maxNameLength - 1)}…` : name,
      ),
      axisLabel: {
        color: page.muted,
        fontSize: 11,
        interval: 0,
        rotate: names.join('').length * 6.5 > width ? 30 : 0,
      },
      axisLine: { lineStyle: { color: page.border } },
    },
    yAxis: valueAxis({ unit, decimals, min: 0, max, highest: 0 }),
    series: values.map(({ name, index }) => ({
      type: 'bar' as const,
      name,
      ...(isStacked ? { stack: 'all' } : {}),
      data: table.rows.map((row) => row[index] ?? null),
      itemStyle: { color: colourOf(name), opacity: 0.85 },
      barWidth: '60%',
      label: {
        show: !isStacked,
        position: 'top' as const,
        color: page.text,
        fontSize: 11,
        formatter: ({ value }: { value?: unknown }) => formatValue(Number(value), unit, decimals),
      },
    })),
  };
  return chartSvg(option, { width, height: height - legend.height }) + legend.html;
}

/** A donut with its table of values and shares beside it. */
export function pieChart(panel: GeneratedPanel, table: DataTable, { width, height }: Size): string {
  const { unit, decimals } = panel.fieldConfig?.defaults ?? {};
  const numberIndex = table.columns.findIndex(({ isNumber }) => isNumber);
  const textIndex = table.columns.findIndex(({ isNumber }) => !isNumber);
  const colours = coloursOf(
    panel,
    table.rows.map((row) => String(row[textIndex] ?? '')),
  );
  const slices = table.rows.map((row) => ({
    name: String(row[textIndex] ?? ''),
    value: Number(row[numberIndex] ?? 0),
    itemStyle: { color: colours.get(String(row[textIndex] ?? '')) ?? page.text },
  }));
  const whole = slices.reduce((sum, { value }) => sum + value, 0);
  const svgWidth = Math.round(width * 0.42);
  const svg = chartSvg(
    { series: [{ type: 'pie', radius: ['45%', '85%'], data: slices, label: { show: false } }] },
    { width: svgWidth, height },
  );
  const rows = slices.map(
    ({ name, value, itemStyle }) =>
      `<tr><td><i style="background:${itemStyle.color}"></i>${escaped(name)}</td><td class="number">${formatValue(value, unit, decimals)}</td><td class="number">${formatValue(whole === 0 ? null : value / whole, 'percentunit', 0)}</td></tr>`,
  );
  return `<div class="pie">${svg}<table class="pie-legend">${rows.join('')}</table></div>`;
}

/** How many observations fell into each bucket in each step; buckets come as Prometheus has them, cumulative. */
export function heatmapChart(
  panel: GeneratedPanel,
  series: readonly DataSeries[],
  view: BoardView,
  size: Size,
): string {
  const unit = panel.fieldConfig?.defaults.unit;
  const bounded = series
    .map(({ name, points }) => ({
      bound: name === '+Inf' ? Infinity : Number(name),
      values: new Map(points),
    }))
    .toSorted((left, right) => left.bound - right.bound);
  const known = [...new Set(series.flatMap(({ points }) => points.map(([seconds]) => seconds)))].toSorted(
    (left, right) => left - right,
  );
  const times = wholeRange(known, view);
  const cells = bounded.flatMap(({ values }, row) =>
    times.flatMap((seconds, column) => {
      const below = row === 0 ? 0 : (bounded[row - 1]?.values.get(seconds) ?? 0);
      const count = (values.get(seconds) ?? 0) - below;
      return count > 0.01 ? [[column, row, count] as const] : [];
    }),
  );
  // Buckets above the highest that was ever hit say nothing.
  const highest = Math.max(0, ...cells.map(([, row]) => row));
  const most = Math.max(1, ...cells.map(([, , count]) => count));
  const svg = chartSvg(
    {
      grid: { left: 8, right: 14, top: 10, bottom: 4, containLabel: true },
      xAxis: {
        type: 'category',
        data: times.map((seconds) => timeText(seconds * 1000, view)),
        axisLabel: { color: page.muted, fontSize: 11, hideOverlap: true },
        axisLine: { lineStyle: { color: page.border } },
        axisTick: { show: false },
      },
      yAxis: {
        type: 'category',
        data: bounded
          .slice(0, highest + 1)
          .map(({ bound }) => (bound === Infinity ? '+Inf' : formatValue(bound, unit))),
        axisLabel: { color: page.muted, fontSize: 11 },
        axisLine: { lineStyle: { color: page.border } },
        axisTick: { show: false },
      },
      // Its own scale would be a gradient, which the SVG cannot name.
      visualMap: { show: false, min: 0, max: most, inRange: { color: [...heatColours] } },
      series: [
        {
          type: 'heatmap',
          data: cells.map((cell) => [...cell]),
          itemStyle: { borderWidth: 1, borderColor: page.panel },
        },
      ],
    },
    { width: size.width, height: size.height - scaleHeight },
  );
  return `${svg}<div class="scale" style="height:${scaleHeight}px"><span>0</span><i style="background:linear-gradient(to right, ${heatColours.join(', ')})"></i><span>${formatValue(most, 'short', 0)}</span></div>`;
}

/** The times with those before and after them, so that the chart spans what its neighbours span. */
function wholeRange(known: readonly number[], { fromSeconds, toSeconds, stepSeconds }: BoardView): number[] {
  const [first = fromSeconds] = known;
  const start = first - Math.floor((first - fromSeconds) / stepSeconds) * stepSeconds;
  const steps = Math.floor((toSeconds - start) / stepSeconds) + 1;
  return Array.from({ length: steps }, (_, step) => start + step * stepSeconds);
}
