import type { SqlExecutor } from '../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { type ErasureSelection, parametersOf } from './erasure-selection.ts';
import * as sql from './erasure-sql.ts';

/*
 * What batches keep of a customer beside the messages: what was sent, what came out, and why an item failed. The tables are the ledger's, as
 * those of quotas and pauses are; so the command erases them without a host, and one statement says what of a row stays.
 */

const sliceSize = 2000;

interface ItemPlace {
  readonly batch_id: Uuid;
  readonly position: number;
}

/** Everything of the selection that has ended; a repeat finds only the rest. */
export async function eraseBatches(
  executor: SqlExecutor,
  selection: ErasureSelection,
  pseudonym: string,
): Promise<void> {
  const parameters = parametersOf(selection, pseudonym);
  let last: ItemPlace | undefined = { batch_id: '00000000-0000-0000-0000-000000000000', position: 0 };
  while (last !== undefined) {
    const place: readonly unknown[] = [last.batch_id, last.position, sliceSize];
    const { rows } = await executor.query<ItemPlace>(sql.eraseBatchItems, [...parameters, ...place]);
    [last] = rows;
  }
  if (selection.kind === 'message') return;
  // Items that name no customer are found by the batch's: it goes last.
  const customer = selection.kind === 'customer' ? selection.customer : undefined;
  await executor.query(sql.eraseBatches, [customer, selection.team, pseudonym]);
}
