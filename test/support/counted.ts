import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { type CountedKind, LedgerCounts } from '../../src/engine/ledger/ledger-counts.ts';

/** How many of a kind the ledger counts, over all stages. */
export async function counted(database: SqlDatabase, kind: CountedKind): Promise<number> {
  const counts = await new LedgerCounts(database).read();
  return counts.reduce((sum, one) => (one.kind === kind ? sum + one.count : sum), 0);
}
