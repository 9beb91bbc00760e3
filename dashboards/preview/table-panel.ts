import type { GeneratedPanel, GeneratedStep } from '../live/generated-board.ts';
import type { Cell, DataTable, TargetData } from '../live/panel-data.ts';
import { page, stepColour } from './colours.ts';
import { formatValue } from './format-value.ts';
import { escaped, type Size } from './html.ts';

/* Tables, with the joining and renaming that the panel asks Grafana for, and its settings column by column. */

const headHeight = 30;
const rowHeight = 27;
const footHeight = 20;

/** As many whole rows as there is room for. */
export function tablePanel(panel: GeneratedPanel, data: readonly TargetData[], { height }: Size): string {
  const table = organised(
    panel,
    joined(data.flatMap((answer) => (answer.kind === 'table' ? [answer.table] : []))),
  );
  const columns = table.columns.map(({ name, isNumber }) => ({ name, isNumber, ...settingsOf(panel, name) }));
  const fitting = Math.floor((height - headHeight) / rowHeight);
  const hasMore = table.rows.length > fitting;
  const shown = table.rows.slice(
    0,
    hasMore ? Math.floor((height - headHeight - footHeight) / rowHeight) : fitting,
  );
  const head = columns.map(
    ({ title, name, isNumber, width }) =>
      `<th class="${isNumber ? 'number' : ''}"${width === undefined ? '' : ` style="width:${width}px"`}>${escaped(title ?? name)}</th>`,
  );
  const body = shown.map(
    (row) =>
      `<tr>${columns.map((column, index) => cellHtml(row[index] ?? null, column, panel)).join('')}</tr>`,
  );
  const foot = hasMore ? `<div class="more">and ${table.rows.length - shown.length} more rows</div>` : '';
  return `<table class="data"><thead><tr>${head.join('')}</tr></thead><tbody>${body.join('')}</tbody></table>${foot}`;
}

interface ColumnSettings {
  readonly title?: string;
  readonly unit?: string;
  readonly decimals?: number;
  readonly width?: number;
  readonly steps?: readonly GeneratedStep[];
  readonly isBar: boolean;
  readonly isLink: boolean;
}

function settingsOf(panel: GeneratedPanel, name: string): ColumnSettings {
  const override = panel.fieldConfig?.overrides.find(({ matcher }) => matcher.options === name);
  const properties = new Map(override?.properties.map(({ id, value }) => [id, value]));
  const thresholds = properties.get('thresholds') as { steps: readonly GeneratedStep[] } | undefined;
  const cell = properties.get('custom.cellOptions') as { type: string } | undefined;
  const title = properties.get('displayName') as string | undefined;
  const unit = (properties.get('unit') ?? panel.fieldConfig?.defaults.unit) as string | undefined;
  const decimals = properties.get('decimals') as number | undefined;
  const width = properties.get('custom.width') as number | undefined;
  return {
    ...(title === undefined ? {} : { title }),
    ...(unit === undefined ? {} : { unit }),
    ...(decimals === undefined ? {} : { decimals }),
    ...(width === undefined ? {} : { width }),
    ...(thresholds === undefined ? {} : { steps: thresholds.steps }),
    isBar: cell?.type === 'gauge',
    isLink: properties.has('links'),
  };
}

function cellHtml(
  cell: Cell,
  { isNumber, unit, decimals, steps, isBar, isLink }: ColumnSettings & { readonly isNumber: boolean },
  panel: GeneratedPanel,
): string {
  if (isNumber || typeof cell === 'number') {
    const value = typeof cell === 'number' ? cell : null;
    const colour = steps === undefined ? page.text : stepColour(value, steps);
    const text = formatValue(value, unit ?? panel.fieldConfig?.defaults.unit, decimals);
    if (isBar) {
      const share = Math.min(1, Math.max(0, value ?? 0)) * 100;
      return `<td class="cell-bar"><div><i style="width:${share.toFixed(1)}%"></i></div><span>${text}</span></td>`;
    }
    return `<td class="number" style="color:${colour}">${text}</td>`;
  }
  const text = unit === 'dateTimeAsIso' ? (cell ?? '').slice(0, 19) : (cell ?? '');
  return `<td class="${isLink ? 'link' : ''}">${escaped(text)}</td>`;
}

/** Several answers as one: a row for each set of texts, a number column for each answer. */
function joined(tables: readonly DataTable[]): DataTable {
  const [only] = tables;
  if (tables.length === 1 && only !== undefined) return only;
  const names = [
    ...new Set(
      tables.flatMap(({ columns }) => columns.flatMap(({ name, isNumber }) => (isNumber ? [] : [name]))),
    ),
  ];
  const rows = new Map<string, Cell[]>();
  for (const [place, table] of tables.entries()) {
    const numberIndex = table.columns.findIndex(({ isNumber }) => isNumber);
    for (const row of table.rows) {
      const texts = names.map((name) => row[table.columns.findIndex((column) => column.name === name)] ?? '');
      const key = JSON.stringify(texts);
      const cells = rows.get(key) ?? [...texts, ...tables.map(() => null)];
      cells[names.length + place] = row[numberIndex] ?? null;
      rows.set(key, cells);
    }
  }
  return {
    columns: [
      ...names.map((name) => ({ name, isNumber: false })),
      ...tables.map((_, place) => ({
        name: `Value #${'ABCDEFGHIJKLMNOPQRSTUVWXYZ'.charAt(place)}`,
        isNumber: true,
      })),
    ],
    rows: [...rows.values()],
  };
}

/** Columns in the order and with the names that the panel gives them. */
function organised(panel: GeneratedPanel, { columns, rows }: DataTable): DataTable {
  const options = panel.transformations?.find(({ id }) => id === 'organize')?.options;
  if (options === undefined) return { columns, rows };
  const { indexByName = {}, renameByName = {}, excludeByName = {} } = options;
  const order = columns
    .map(({ name }, index) => ({ name, index }))
    .filter(({ name }) => excludeByName[name] !== true)
    .toSorted((left, right) => (indexByName[left.name] ?? 99) - (indexByName[right.name] ?? 99));
  return {
    columns: order.map(({ name, index }) => ({
      name: renameByName[name] ?? name,
      isNumber: columns[index]?.isNumber ?? false,
    })),
    rows: rows.map((row) => order.map(({ index }) => row[index] ?? null)),
  };
}
