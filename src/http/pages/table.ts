import { html, type Html } from './html.ts';

/** A column of a table: `number` stands on the right; a width class keeps the tables of a page in line. */
export interface PageColumn {
  readonly title: string;
  readonly kind?: 'number' | 'text' | 'bars';
  readonly width?: 'amount' | 'ratio' | 'count' | 'wide';
}

/** A row of a table; `sum` is the last one, which the others add up to. */
export interface PageRow {
  readonly cells: readonly (Html | string)[];
  readonly kind?: 'row' | 'sum';
}

/** A table whose head is repeated on every printed page. */
export function pageTable(columns: readonly PageColumn[], rows: readonly PageRow[]): Html {
  const classOf = ({ kind = 'text', width }: PageColumn): string =>
    [kind === 'text' ? '' : kind, width ?? ''].join(' ').trim();
  return html`<table>
    <thead>
      <tr>
        ${columns.map((column) => html`<th class="${classOf(column)}">${column.title}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        ({ cells, kind = 'row' }) =>
          html`<tr class="${kind}">
            ${columns.map((column, index) => html`<td class="${classOf(column)}">${cells[index] ?? ''}</td>`)}
          </tr>`,
      )}
    </tbody>
  </table>`;
}
