import { TableCellHeight } from '@grafana/grafana-foundation-sdk/common';
import type { DynamicConfigValue } from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as Table } from '@grafana/grafana-foundation-sdk/table';
import { type ColourLimits, stepsOf } from './colour-limits.ts';
import { promql, type SqlQuery } from './data-queries.ts';
import { type BoardPanel, boardPanel, type PanelBasics, type Unit } from './panel.ts';

/* Tables: of one SQL answer, or of several PromQL answers joined by their labels. */

/** How one column is shown. */
export interface Column {
  /** The column of the SQL answer, or the label. */
  readonly name: string;
  readonly title: string;
  readonly unit?: Unit;
  readonly decimals?: number;
  readonly width?: number;
  readonly limits?: ColourLimits;
  /** Whether a bar of the value's size stands in the cell; its unit then is a share. */
  readonly isBar?: boolean;
  /** Where the cell leads. */
  readonly link?: { readonly title: string; readonly url: string };
}

type TableBasics = Omit<PanelBasics, 'queries' | 'limits'>;

export interface SqlTableOptions extends TableBasics {
  readonly query: SqlQuery;
  /** Every column of the answer, in its order. */
  readonly columns: readonly Column[];
}

/** The rows of an SQL answer. */
export function sqlTable({ query, columns, ...basics }: SqlTableOptions): BoardPanel {
  const builder = tableOf(columns);
  return boardPanel(builder, { ...basics, queries: [query] }, 'table');
}

export interface PromTableOptions extends TableBasics {
  /** The labels that name a row; each expression answers one series for each of them. */
  readonly labels: readonly Column[];
  /** The further columns, each the value of an expression. */
  readonly values: readonly (Column & { readonly expr: string })[];
}

/** A row for each set of labels, a column for each expression. */
export function promTable({ labels, values, ...basics }: PromTableOptions): BoardPanel {
  const columns = [...labels, ...values];
  const answerName = (index: number): string =>
    values.length === 1 ? 'Value' : `Value #${'ABCDEFGHIJKLMNOPQRSTUVWXYZ'.charAt(index)}`;
  const builder = tableOf(columns)
    .withTransformation({ id: 'merge', options: {} })
    .withTransformation({
      id: 'organize',
      options: {
        excludeByName: { Time: true },
        indexByName: Object.fromEntries([
          ...labels.map(({ name }, index) => [name, index] as const),
          ...values.map((_, index) => [answerName(index), labels.length + index] as const),
        ]),
        renameByName: Object.fromEntries(values.map(({ name }, index) => [answerName(index), name])),
      },
    });
  const queries = values.map(({ expr, name }) => promql(expr, name));
  return boardPanel(builder, { ...basics, queries }, 'table');
}

function tableOf(columns: readonly Column[]): Table {
  const builder = new Table().showHeader(true).cellHeight(TableCellHeight.Sm);
  for (const column of columns) builder.overrideByName(column.name, propertiesOf(column));
  return builder;
}

function propertiesOf({ title, unit, decimals, width, limits, isBar, link }: Column): DynamicConfigValue[] {
  return [
    { id: 'displayName', value: title },
    ...(unit === undefined ? [] : [{ id: 'unit', value: unit }]),
    ...(decimals === undefined ? [] : [{ id: 'decimals', value: decimals }]),
    ...(width === undefined ? [] : [{ id: 'custom.width', value: width }]),
    ...(limits === undefined
      ? []
      : [
          { id: 'thresholds', value: { mode: 'absolute', steps: stepsOf(limits) } },
          { id: 'custom.cellOptions', value: { type: 'color-text' } },
        ]),
    ...(isBar === true
      ? [
          { id: 'custom.cellOptions', value: { type: 'gauge', mode: 'basic' } },
          { id: 'min', value: 0 },
          { id: 'max', value: 1 },
        ]
      : []),
    ...(link === undefined ? [] : [{ id: 'links', value: [{ ...link, targetBlank: false }] }]),
  ];
}
