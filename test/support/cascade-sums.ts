import { cascadeSumsSql, readCascadeSums } from '../../src/capabilities/costs/savings/cascade-query.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import type { CascadeSums } from '../../src/pricing/cascade-savings.ts';

/** What the column store says of all cascades, by verdict. */
export async function cascadeSums(columns: ColumnStore): Promise<readonly CascadeSums[]> {
  const always = { from: new Date(0), to: new Date('2100-01-01'), filters: {} };
  const { sql, parameters } = cascadeSumsSql(always, columns.database);
  const rows = await columns.query<Record<string, unknown>>(sql, parameters);
  return rows
    .map((row) => readCascadeSums(row))
    .toSorted((one, other) => one.verdict.localeCompare(other.verdict));
}
