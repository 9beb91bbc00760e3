import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { type Pruned, Retention, type RetentionAges } from '../../src/engine/maintenance/retention.ts';

/** One walk of retention through the whole ledger, in slices. */
export async function pruneAll(database: SqlDatabase, ages: RetentionAges, slice: number): Promise<Pruned> {
  const retention = new Retention(database, ages);
  const sums = { calls: 0, messages: 0, batches: 0, windows: 0 };
  for (;;) {
    const { hasMore, ...pruned } = await retention.prune(slice);
    for (const kind of ['calls', 'messages', 'batches', 'windows'] as const) sums[kind] += pruned[kind];
    if (!hasMore) return sums;
  }
}
