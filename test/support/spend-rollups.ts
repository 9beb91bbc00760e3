import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { spendRollups } from '../../src/capabilities/costs/spend-rows.ts';
import { spendSums } from '../../src/engine/export/spend-sums.ts';

/** A rollup of spend, by the name of its projection. */
export interface RollupTotals {
  readonly projection: string;
  readonly calls: string;
  readonly cost: string;
}

/** What the rollups of spend come to, in calls and money. Fails where the engine would read rows instead of a rollup. */
export async function rollupTotals(store: ColumnStore): Promise<RollupTotals[]> {
  const read = async ({ projection, time }: { projection: string; time: string }): Promise<RollupTotals> => {
    const [row] = await store.query<{ calls: string; cost: string }>(
      `SELECT sum(part_calls) AS calls, sum(part_cost) AS cost FROM (
         SELECT ${spendSums.calls} AS part_calls, ${spendSums.cost} AS part_cost FROM ${store.database}.usage GROUP BY ${time})
       SETTINGS force_optimize_projection_name = '${projection}', preferred_optimize_projection_name = '${projection}'`,
    );
    return { projection, calls: row?.calls ?? '', cost: row?.cost ?? '' };
  };
  return await Promise.all([spendRollups.hour, spendRollups.customers].map((rollup) => read(rollup)));
}
