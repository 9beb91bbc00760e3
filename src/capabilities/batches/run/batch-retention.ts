import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import { named } from '../../../drivers/sql-database/sql-statement.ts';
import type { Uuid } from '../../../kernel/ids.ts';

/* Old batches leave the ledger, items first, in slices. */

/** $1 and $2 ages in milliseconds: a batch that ended, or was begun to be received, longer ago. */
const findOld = named(
  'batches.find_old',
  `(select b.id from millrace.batches b where b.ended_at < statement_timestamp() - $1::float8 * interval '1 millisecond'
     order by b.ended_at, b.id limit 1)
   union all
   (select b.id from millrace.batches b
     where b.state = 'receiving' and b.created_at < statement_timestamp() - $2::float8 * interval '1 millisecond'
     order by b.created_at, b.id limit 1)
   limit 1`,
);

/** $1 batch, $2 how many. */
const deleteItems = named(
  'batches.delete_items',
  `delete from millrace.batch_items where batch_id = $1::uuid and position in (
     select position from millrace.batch_items where batch_id = $1::uuid order by position limit $2)`,
);

/** $1 batch: with its chunks and failures. Only one that is over or was never started. */
const deleteBatch = named(
  'batches.delete',
  `delete from millrace.batches b where b.id = $1::uuid and (b.ended_at is not null or b.state = 'receiving')
     and not exists (select from millrace.batch_items i where i.batch_id = b.id)`,
);

const dayMs = 86_400_000;
/** A batch that was never started goes after this time. */
const unstartedDays = 7;
const sliceSize = 2000;

export class BatchRetention {
  readonly #database: SqlDatabase;
  readonly #finishedDays: number;

  constructor(database: SqlDatabase, { finishedDays }: { readonly finishedDays: number }) {
    this.#database = database;
    this.#finishedDays = finishedDays;
  }

  /** One slice of the oldest; true when there is more. */
  async prune(): Promise<boolean> {
    const { rows } = await this.#database.query<{ readonly id: Uuid }>(findOld, [
      this.#finishedDays * dayMs,
      unstartedDays * dayMs,
    ]);
    const [old] = rows;
    if (old === undefined) return false;
    const { affected } = await this.#database.query(deleteItems, [old.id, sliceSize]);
    if (affected < sliceSize) await this.#database.query(deleteBatch, [old.id]);
    return true;
  }
}
