import type { SqlExecutor } from '../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../kernel/ids.ts';
import * as sql from './erasure-sql.ts';

const sliceSize = 500;
const firstId: Uuid = '00000000-0000-0000-0000-000000000000';

/** Requests: whose they were, what they were answered, and the keys that clients gave them. `parameters`: the selection. */
export async function eraseRequests(executor: SqlExecutor, parameters: readonly unknown[]): Promise<void> {
  for (let last: Uuid | null = firstId; last !== null;) {
    const { rows }: { readonly rows: readonly { readonly last: Uuid | null }[] } = await executor.query(
      sql.eraseRequests,
      [...parameters, last, sliceSize],
    );
    last = rows[0]?.last ?? null;
  }
}
