import type { GeneratedBoard, GeneratedPanel } from '../live/generated-board.ts';
import type { BoardView } from '../live/grafana-macros.ts';
import { type DataSources, hasData, readPanel, type TargetData } from '../live/panel-data.ts';
import { colourNamed, page } from './colours.ts';
import { escaped, type Size } from './html.ts';
import { barGaugePanel, stateTimelinePanel, statPanel } from './html-panels.ts';
import { type Mark, marksOf } from './marks.ts';
import { barChart, heatmapChart, pieChart } from './other-charts.ts';
import { tablePanel } from './table-panel.ts';
import { timeSeriesChart } from './time-series-chart.ts';

/* A board as a page: panels where its JSON puts them, each with the answers to its questions. */

/** How wide a page is made. */
export const pageWidth = 1440;

const margin = 16;
const gap = 8;
const cellHeight = 30;
const titleHeight = 30;
const padding = 10;
const headHeight = 84;
const columns = 24;

/** The page, and the titles of panels that had nothing to show. */
export async function boardPage(
  board: GeneratedBoard,
  sources: DataSources,
  view: BoardView,
): Promise<{ readonly html: string; readonly empty: readonly string[] }> {
  const empty: string[] = [];
  const panels: string[] = [];
  const marks = await marksOf(board, sources, view);
  for (const panel of board.panels) {
    if (panel.type === 'row') {
      panels.push(`<h2 style="${placeOf(panel)}">${escaped(panel.title)}</h2>`);
      continue;
    }
    const data = await readPanel(panel, sources, view);
    const isEmpty = !data.some((answer) => hasData(answer));
    if (isEmpty) empty.push(panel.title);
    const body = isEmpty ? emptyHtml(panel) : drawn(panel, data, { view, marks });
    panels.push(
      `<section style="${placeOf(panel)}" title="${escaped(panel.description ?? '')}"><h3>${escaped(panel.title)}</h3><div class="body">${body}</div></section>`,
    );
  }
  const bottom = Math.max(...board.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  const height = headHeight + bottom * (cellHeight + gap) + margin;
  const variables = board.templating.list
    .filter(({ type }) => type === 'query')
    .map(
      ({ name }) =>
        `<span>${escaped(name)} <b>${escaped(view.chosen?.[name]?.join(', ') ?? 'All')}</b></span>`,
    );
  const kinds = board.annotations.list.map(
    ({ name, iconColor }) =>
      `<em><i style="border-color:${colourNamed(iconColor)}"></i>${escaped(name)}</em>`,
  );
  return {
    empty,
    html: `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escaped(board.title)}</title><style>${style}</style></head>
<body style="width:${pageWidth}px;height:${height}px">
<header><h1>${escaped(board.title)}</h1><p>${escaped(board.description)}</p><div class="variables">${kinds.join('')}${variables.join('')}</div></header>
${panels.join('\n')}
</body></html>
`,
  };
}

function drawn(
  panel: GeneratedPanel,
  data: readonly TargetData[],
  { view, marks }: { readonly view: BoardView; readonly marks: readonly Mark[] },
): string {
  const size = bodySize(panel);
  const series = data.flatMap((answer) => (answer.kind === 'series' ? answer.series : []));
  const table = data.find((answer) => answer.kind === 'table')?.table ?? { columns: [], rows: [] };
  switch (panel.type) {
    case 'timeseries':
      return timeSeriesChart(panel, series, { view, marks }, size);
    case 'stat':
      return statPanel(panel, data, size);
    case 'table':
      return tablePanel(panel, data, size);
    case 'bargauge':
      return barGaugePanel(panel, data, size);
    case 'barchart':
      return barChart(panel, table, size);
    case 'piechart':
      return pieChart(panel, table, size);
    case 'heatmap':
      return heatmapChart(panel, series, view, size);
    case 'state-timeline':
      return stateTimelinePanel(panel, data, view, size);
    default:
      throw new Error(`The preview cannot draw a panel of the kind "${panel.type}".`);
  }
}

function emptyHtml(panel: GeneratedPanel): string {
  const text = panel.type === 'stat' ? (panel.fieldConfig?.defaults.noValue ?? 'No data') : 'No data';
  return `<div class="empty">${escaped(text)}</div>`;
}

function columnWidth(): number {
  return (pageWidth - 2 * margin + gap) / columns;
}

function placeOf({ gridPos: { x, y, w, h } }: GeneratedPanel): string {
  const left = margin + x * columnWidth();
  const top = headHeight + y * (cellHeight + gap);
  const width = w * columnWidth() - gap;
  const height = h * (cellHeight + gap) - gap;
  return `left:${left.toFixed(1)}px;top:${top}px;width:${width.toFixed(1)}px;height:${height}px`;
}

function bodySize({ gridPos: { w, h } }: GeneratedPanel): Size {
  return {
    width: Math.floor(w * columnWidth() - gap - 2 * padding),
    height: h * (cellHeight + gap) - gap - titleHeight - padding,
  };
}

const style = `
* { box-sizing: border-box; }
body { margin: 0; position: relative; background: ${page.background}; color: ${page.text}; font: 12px Inter, 'DejaVu Sans Condensed', 'DejaVu Sans', sans-serif; }
header { position: absolute; left: ${margin}px; right: ${margin}px; top: 12px; }
h1 { font-size: 18px; margin: 0; font-weight: 600; }
header p { margin: 4px 0 0; color: ${page.muted}; font-size: 13px; }
.variables { position: absolute; right: 0; top: 2px; display: flex; gap: 8px; }
.variables span { background: ${page.panel}; border: 1px solid ${page.border}; border-radius: 2px; padding: 5px 9px; color: ${page.muted}; }
.variables em { font-style: normal; color: ${page.muted}; padding: 5px 4px; }
.variables em i { display: inline-block; height: 12px; border-left: 1px dashed; margin-right: 6px; vertical-align: middle; }
.variables b { color: ${page.text}; font-weight: 500; }
h2 { position: absolute; margin: 0; font-size: 14px; font-weight: 600; line-height: 30px; }
section { position: absolute; background: ${page.panel}; border: 1px solid ${page.border}; border-radius: 2px; overflow: hidden; }
h3 { margin: 0; padding: 0 ${padding}px; line-height: ${titleHeight}px; font-size: 13px; font-weight: 500; white-space: nowrap; }
.body { padding: 0 ${padding}px; }
.body svg { display: block; }
.legend { display: flex; flex-wrap: wrap; font-size: 11px; line-height: 18px; }
.legend span { margin-right: 12px; white-space: nowrap; }
.legend i, .pie-legend i { display: inline-block; width: 12px; height: 3px; border-radius: 1px; margin-right: 5px; vertical-align: middle; }
.rest, .more { color: ${page.muted}; font-size: 11px; }
.more { line-height: 20px; }
.empty { color: ${page.muted}; text-align: center; padding-top: 24px; font-size: 16px; }
.stats { display: flex; gap: 12px; height: 106px; }
.stat { flex: 1; position: relative; display: flex; flex-direction: column; align-items: center; justify-content: center; overflow: hidden; }
.stat svg { position: absolute; left: 0; top: 0; }
.stat.with-course { justify-content: flex-start; padding-top: 10px; }
.stat > div, .stat svg { z-index: 0; }
.stat b { position: relative; font-size: 30px; font-weight: 500; z-index: 1; }
.stat small { position: relative; color: ${page.muted}; font-size: 12px; z-index: 1; }
table { border-collapse: collapse; width: 100%; }
table.data { table-layout: fixed; }
table.data th { height: 30px; text-align: left; font-weight: 500; color: #6e9fff; white-space: nowrap; padding: 0 8px; border-bottom: 1px solid ${page.border}; }
table.data td { height: 27px; padding: 0 8px; border-bottom: 1px solid ${page.border}; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.number { text-align: right !important; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.link { color: #6e9fff; }
.cell-bar div { display: inline-block; width: calc(100% - 60px); min-width: 40px; height: 12px; background: ${page.border}; vertical-align: middle; }
.cell-bar i { display: block; height: 12px; background: #73BF69; }
.cell-bar span { display: inline-block; width: 56px; text-align: right; }
.gauge td { padding: 2px 6px; }
.gauge .name { white-space: nowrap; width: 1%; }
.gauge .bar div { background: ${page.border}; height: 14px; }
.gauge .bar i { display: block; height: 14px; }
.gauge td.number { width: 1%; }
.pie { display: flex; align-items: center; }
.pie-legend td { padding: 4px 6px; }
.state { display: flex; align-items: center; height: 26px; }
.state > span { flex: none; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; padding-right: 8px; text-align: right; }
.state > div { position: relative; flex: 1; height: 20px; }
.state i { position: absolute; height: 20px; line-height: 20px; font-style: normal; color: #111; padding-left: 6px; overflow: hidden; white-space: nowrap; opacity: .85; }
.scale { display: flex; align-items: center; justify-content: center; gap: 8px; color: ${page.muted}; font-size: 11px; }
.scale i { width: 140px; height: 10px; }
.ticks > div { display: flex; justify-content: space-between; color: ${page.muted}; font-size: 11px; }
`;
