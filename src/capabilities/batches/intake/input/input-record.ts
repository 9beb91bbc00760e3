import type { Fault } from '../../../../kernel/app-error.ts';
import type { FaultReach } from './input-faults.ts';

/** What an item is given as; `data` is the message's. */
export interface ItemParts {
  readonly id?: unknown;
  readonly customer?: unknown;
  readonly team?: unknown;
  readonly labels?: unknown;
  readonly data: unknown;
}

/** One line or row of an input. */
export type InputRecord =
  | { readonly kind: 'item'; readonly place: number; readonly parts: ItemParts }
  | {
      readonly kind: 'faulty';
      readonly place: number;
      /** Its id, where that can be read. */
      readonly id?: unknown;
      readonly faults: readonly Fault[];
      readonly reach: FaultReach;
    };

/** A record that cannot be read. */
export function faultyRecord(
  place: number,
  field: string,
  problem: string,
  reach: FaultReach = 'item',
): InputRecord {
  return { kind: 'faulty', place, faults: [{ field, problem }], reach };
}

/** Which columns of a table say what an item is; all columns are its data, but for those that are left out. */
export interface TableColumns {
  readonly id?: string | undefined;
  readonly customer?: string | undefined;
  readonly team?: string | undefined;
  /** Columns that are not data. */
  readonly omit: readonly string[];
}

/** What is wrong with the names of a table's columns; undefined when nothing is. */
export function columnFault(names: readonly string[], columns: TableColumns): Fault | undefined {
  const field = 'header';
  if (names.length > maxColumns) return { field, problem: `has more than ${maxColumns} columns` };
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return { field, problem: `names the column "${twice}" twice` };
  if (names.includes('')) return { field, problem: 'has a column without a name' };
  if (names.includes('__proto__')) return { field, problem: 'must not name a column "__proto__"' };
  const wanted = [columns.id, columns.customer, columns.team, ...columns.omit];
  const missing = wanted.find((name) => name !== undefined && !names.includes(name));
  if (missing === undefined) return undefined;
  return { field, problem: `has no column "${missing}"; its columns are ${listed(names)}` };
}

/** An item of a table's row. */
export function itemOfRow(row: Readonly<Record<string, unknown>>, columns: TableColumns): ItemParts {
  const omitted = new Set(columns.omit);
  const data =
    omitted.size === 0 ? row : Object.fromEntries(Object.entries(row).filter(([name]) => !omitted.has(name)));
  const at = (name: string | undefined): unknown => (name === undefined ? undefined : row[name]);
  return { id: at(columns.id), customer: at(columns.customer), team: at(columns.team), data };
}

/** Of a table. */
const maxColumns = 1000;
/** That a fault names. */
const maxNamed = 20;

function listed(names: readonly string[]): string {
  const shown = names.slice(0, maxNamed).join(', ');
  return names.length > maxNamed ? `${shown}, …` : shown;
}
