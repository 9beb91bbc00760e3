import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { invariant } from '../../src/kernel/invariant.ts';
import type { PrometheusServer } from '../../test/support/prometheus-server.ts';
import type { GeneratedPanel, GeneratedTarget } from './generated-board.ts';
import { type BoardView, expandPromql, expandSql } from './grafana-macros.ts';

/* The answers to a panel's questions, in the two forms that charts draw: series over time, and tables. */

export interface DataSources {
  readonly prometheus: PrometheusServer;
  readonly columns: ColumnStore;
}

export interface DataSeries {
  readonly name: string;
  readonly points: readonly (readonly [seconds: number, value: number])[];
}

export type Cell = string | number | null;

export interface DataTable {
  readonly columns: readonly { readonly name: string; readonly isNumber: boolean }[];
  readonly rows: readonly (readonly Cell[])[];
}

export type TargetData =
  | { readonly kind: 'series'; readonly series: readonly DataSeries[] }
  | { readonly kind: 'table'; readonly table: DataTable };

/** Asks everything that a panel asks. */
export function readPanel(
  panel: GeneratedPanel,
  sources: DataSources,
  view: BoardView,
): Promise<readonly TargetData[]> {
  return Promise.all((panel.targets ?? []).map((target) => readTarget(target, sources, view)));
}

/** Whether an answer has anything to show: a number somewhere. */
export function hasData(data: TargetData): boolean {
  return data.kind === 'series'
    ? data.series.some(({ points }) => points.some(([, value]) => Number.isFinite(value)))
    : data.table.rows.some((row) => row.some((cell) => cell !== null && cell !== ''));
}

async function readTarget(
  target: GeneratedTarget,
  sources: DataSources,
  view: BoardView,
): Promise<TargetData> {
  if (target.rawSql !== undefined) return readSql(target.rawSql, target.format === 0, sources.columns, view);
  invariant(target.expr !== undefined, `target ${target.refId} asks something`);
  return readPromql(target, target.expr, sources.prometheus, view);
}

async function readPromql(
  target: GeneratedTarget,
  expr: string,
  prometheus: PrometheusServer,
  view: BoardView,
): Promise<TargetData> {
  const shown = { ...view, ...view.metrics };
  const expression = expandPromql(expr, shown);
  const answers =
    target.range === true
      ? await prometheus.queryRange(expression, shown)
      : await prometheus.query(expression, shown.toSeconds);
  if (target.format !== 'table') {
    const series = answers.map(({ labels, points }) => ({
      name: legendText(target.legendFormat ?? '', labels),
      points,
    }));
    return { kind: 'series', series };
  }
  const names = [...new Set(answers.flatMap(({ labels }) => Object.keys(labels)))];
  return {
    kind: 'table',
    table: {
      columns: [...names.map((name) => ({ name, isNumber: false })), { name: 'Value', isNumber: true }],
      rows: answers.map(({ labels, points }) => [
        ...names.map((name) => labels[name] ?? ''),
        finiteOrNull(points.at(-1)?.[1]),
      ]),
    },
  };
}

async function readSql(
  rawSql: string,
  isSeries: boolean,
  columnStore: ColumnStore,
  view: BoardView,
): Promise<TargetData> {
  const sql = expandSql(rawSql, view);
  const described = await columnStore.query<{ name: string; type: string }>(`DESCRIBE TABLE (${sql})`);
  const columns = described.map(({ name, type }) => ({
    name,
    type,
    isNumber: /^(?:Nullable\()?(?:U?Int|Float|Decimal)/.test(type),
  }));
  const answered = await columnStore.query<Record<string, string | number | null>>(sql);
  const rows = answered.map((row) =>
    columns.map(({ name, isNumber }): Cell => {
      const value = row[name];
      if (value === null || value === undefined) return null;
      return isNumber ? finiteOrNull(Number(value)) : String(value);
    }),
  );
  const table = { columns, rows };
  if (!isSeries) return { kind: 'table', table };
  invariant(columns[0]?.type.startsWith('DateTime') === true, `the first column is a time in ${rawSql}`);
  return { kind: 'series', series: seriesOf(table) };
}

/** As the plugin does: text columns become labels, number columns values. */
function seriesOf({ columns, rows }: DataTable): DataSeries[] {
  const byName = new Map<string, (readonly [number, number])[]>();
  for (const row of rows) {
    const seconds = Date.parse(`${String(row[0]).replace(' ', 'T')}Z`) / 1000;
    const labels = columns.flatMap(({ isNumber }, index) => (index > 0 && !isNumber ? [row[index]] : []));
    for (const [index, { isNumber, name }] of columns.entries()) {
      const value = row[index];
      if (!isNumber || typeof value !== 'number') continue;
      const seriesName = labels.length === 0 ? name : labels.join(' ');
      const points = byName.get(seriesName) ?? [];
      points.push([seconds, value]);
      byName.set(seriesName, points);
    }
  }
  return [...byName].map(([name, points]) => ({ name, points }));
}

function legendText(format: string, labels: Readonly<Record<string, string>>): string {
  return format.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (_, name: string) => labels[name] ?? '').trim();
}

function finiteOrNull(value: number | undefined): number | null {
  return value === undefined || !Number.isFinite(value) ? null : value;
}
