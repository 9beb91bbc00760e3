import { lineEnd, textCell } from '../cost-csv.ts';
import { focusColumns, type FocusRow } from './focus-columns.ts';

/* A FOCUS dataset as CSV (RFC 4180), UTF-8, with a header. A value that is null is an empty cell. */

export const focusCsvHeader = `${focusColumns.map(({ name }) => name).join(',')}${lineEnd}`;

/** The lines of the rows, without the header. */
export function focusCsvLines(rows: readonly FocusRow[]): string {
  return rows
    .map((row) => {
      const cells = focusColumns.map(({ name, kind }) => {
        const value = row[name];
        if (value === null) return '';
        return kind === 'text' || kind === 'json' ? textCell(value) : value;
      });
      return `${cells.join(',')}${lineEnd}`;
    })
    .join('');
}
