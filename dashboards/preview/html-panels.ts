import type { GeneratedPanel } from '../live/generated-board.ts';
import type { BoardView } from '../live/grafana-macros.ts';
import type { Cell, DataSeries, TargetData } from '../live/panel-data.ts';
import { chartSvg } from './chart-svg.ts';
import { colourNamed, fixedColour, page, stepColour } from './colours.ts';
import { formatValue } from './format-value.ts';
import { escaped, type Size } from './html.ts';
import { timeText } from './time-text.ts';

/* Panels that are text and boxes rather than curves: single numbers, bars beside names, states over time. */

const characterWidth = 6.8;
const namePadding = 16;

interface NamedValue {
  readonly name: string;
  readonly value: number | null;
  readonly points: DataSeries['points'];
}

/** One number, or one for each series, with its course behind it. */
export function statPanel(panel: GeneratedPanel, data: readonly TargetData[], size: Size): string {
  const { unit, decimals, thresholds, noValue = '–' } = panel.fieldConfig?.defaults ?? {};
  const values = namedValues(data);
  const shown = values.length === 0 ? [{ name: '', value: null, points: [] }] : values;
  const isColoured = panel.options?.colorMode !== 'none';
  const hasCourse = panel.options?.graphMode === 'area';
  const cells = shown.map(({ name, value, points }) => {
    const colour = isColoured ? stepColour(value, thresholds?.steps ?? []) : page.text;
    const text = value === null ? noValue : formatValue(value, unit, decimals);
    const label = shown.length > 1 ? `<small>${escaped(name)}</small>` : '';
    const course = hasCourse ? courseSvg(points, size, isColoured ? colour : colourNamed('blue')) : '';
    return `<div class="stat${hasCourse ? ' with-course' : ''}">${course}${label}<b style="color:${colour}">${escaped(text)}</b></div>`;
  });
  return `<div class="stats">${cells.join('')}</div>`;
}

/** A bar beside each name. */
export function barGaugePanel(panel: GeneratedPanel, data: readonly TargetData[], { height }: Size): string {
  const { unit, decimals, thresholds, min = 0, max, color } = panel.fieldConfig?.defaults ?? {};
  const values = namedValues(data);
  const longest = max ?? Math.max(1e-12, ...values.map(({ value }) => value ?? 0));
  const rowHeight = Math.min(34, Math.max(18, height / Math.max(1, values.length)));
  const rows = values.slice(0, Math.floor(height / rowHeight)).map(({ name, value }) => {
    const share = Math.min(1, Math.max(0, ((value ?? 0) - min) / (longest - min)));
    const own = fixedColour(panel, name) ?? color?.fixedColor;
    const colour = own === undefined ? stepColour(value, thresholds?.steps ?? []) : colourNamed(own);
    return `<tr style="height:${rowHeight}px"><td class="name">${escaped(name)}</td><td class="bar"><div><i style="width:${(share * 100).toFixed(1)}%;background:${colour}"></i></div></td><td class="number" style="color:${colour}">${formatValue(value, unit, decimals)}</td></tr>`;
  });
  return `<table class="gauge">${rows.join('')}</table>`;
}

/** The state of each series over time, as coloured stretches. */
export function stateTimelinePanel(
  panel: GeneratedPanel,
  data: readonly TargetData[],
  view: BoardView,
  { width }: Size,
): string {
  const mapping = panel.fieldConfig?.defaults.mappings?.[0]?.options ?? {};
  const length = view.toSeconds - view.fromSeconds;
  const series = data.flatMap((answer) => (answer.kind === 'series' ? answer.series : []));
  const nameWidth = Math.min(
    width / 2,
    Math.max(0, ...series.map(({ name }) => name.length)) * characterWidth + namePadding,
  );
  const barWidth = width - nameWidth;
  const rows = series.map(({ name, points }) => {
    const stretches = stretchesOf(points, view).map(({ value, from, to }) => {
      const { text, color } = mapping[String(value)] ?? { text: String(value), color: 'text' };
      const left = ((from - view.fromSeconds) / length) * 100;
      const share = (to - from) / length;
      const isRoomy = share * barWidth > text.length * characterWidth + namePadding;
      return `<i style="left:${left.toFixed(2)}%;width:${(share * 100).toFixed(2)}%;background:${colourNamed(color)}">${isRoomy ? escaped(text) : ''}</i>`;
    });
    return `<div class="state"><span style="width:${nameWidth}px">${escaped(name)}</span><div>${stretches.join('')}</div></div>`;
  });
  const legend = Object.values(mapping).map(
    ({ text, color }) => `<span><i style="background:${colourNamed(color)}"></i>${escaped(text)}</span>`,
  );
  const ticks = [0, 0.25, 0.5, 0.75, 1].map(
    (share) => `<span>${timeText(Math.round(view.fromSeconds + share * length) * 1000, view)}</span>`,
  );
  return `<div class="states">${rows.join('')}<div class="state ticks"><span style="width:${nameWidth}px"></span><div>${ticks.join('')}</div></div><div class="legend">${legend.join('')}</div></div>`;
}

function stretchesOf(
  points: DataSeries['points'],
  view: BoardView,
): readonly { readonly value: number; readonly from: number; readonly to: number }[] {
  const stretches: { value: number; from: number; to: number }[] = [];
  for (const [seconds, value] of points) {
    const last = stretches.at(-1);
    const to = Math.min(seconds + view.stepSeconds, view.toSeconds);
    if (last !== undefined && last.value === value) last.to = to;
    else stretches.push({ value, from: seconds, to });
  }
  return stretches;
}

/** What single-number panels show: the last value of each series, or the rows of a table. */
function namedValues(data: readonly TargetData[]): NamedValue[] {
  return data.flatMap((answer): NamedValue[] => {
    if (answer.kind === 'series') {
      return answer.series.map(({ name, points }) => ({
        name,
        value: points.findLast(([, value]) => Number.isFinite(value))?.[1] ?? null,
        points,
      }));
    }
    const { columns, rows } = answer.table;
    const numberIndex = columns.findIndex(({ isNumber }) => isNumber);
    const textIndex = columns.findIndex(({ isNumber }) => !isNumber);
    return rows.map((row) => ({
      name: textIndex === -1 ? '' : String(row[textIndex] ?? ''),
      value: numberOf(row[numberIndex] ?? null),
      points: [],
    }));
  });
}

function numberOf(cell: Cell): number | null {
  return typeof cell === 'number' ? cell : null;
}

function courseSvg(points: DataSeries['points'], { width, height }: Size, color: string): string {
  const data = points
    .filter(([, value]) => Number.isFinite(value))
    .map(([seconds, value]) => [seconds, value]);
  return chartSvg(
    {
      grid: { left: 0, right: 0, top: height * 0.55, bottom: 0 },
      xAxis: { type: 'value', show: false, min: 'dataMin', max: 'dataMax' },
      yAxis: { type: 'value', show: false, min: 0 },
      series: [
        {
          type: 'line',
          data,
          showSymbol: false,
          lineStyle: { width: 1.5, color },
          areaStyle: { color, opacity: 0.18 },
        },
      ],
    },
    { width, height },
  );
}
