import type { Usd } from '../kernel/money.ts';
import { shownText } from './shown-text.ts';

/** A column of a table for the terminal. */
export interface TableColumn {
  readonly title: string;
  /** Numbers stand on the right. Default left. */
  readonly align?: 'left' | 'right';
}

/** Digits after the point that amounts in tables are rounded to. */
export const tableDigits = 6;

const gap = '  ';

/** Columns under their titles, each as wide as its widest cell. Rows have a cell for every column; control characters are escaped. */
export function renderTable(columns: readonly TableColumn[], given: readonly (readonly string[])[]): string {
  const rows = given.map((row) => row.map((cell) => shownText(cell)));
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...rows.map((row) => (row[index] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align }, index) => {
        const cell = cells[index] ?? '';
        const width = widths[index] ?? 0;
        return align === 'right' ? cell.padStart(width) : cell.padEnd(width);
      })
      .join(gap)
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join(gap);
  return [line(columns.map(({ title }) => title)), rule, ...rows.map((row) => line(row))].join('\n');
}

/** "1,234,567" */
export function formatCount(count: number | bigint | string): string {
  return (typeof count === 'string' ? BigInt(count) : count).toLocaleString('en-US');
}

/** "1 item", "600 items" */
export function formatCounted(count: number, one: string, several = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : several}`;
}

/** An amount rounded half up for a table; whoever shows it says that it is rounded. */
export function roundedUsd(amount: Usd): string {
  return amount.toFixed(tableDigits);
}
