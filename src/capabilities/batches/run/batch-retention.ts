import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import { named } from '../../../drivers/sql-database/sql-statement.ts';
import type { Uuid } from '../../../kernel/ids.ts';

/*
 * Old batches leave the ledger, items first, in slices. A batch is marked before the first of them: from then on nobody starts it, sends it items or
 * runs it again, and whoever dies midway leaves it to the next turn. The guard stands in the statement that marks, beside the row's lock.
 */

/** The batch that is being removed for the longest time: by its age, or because whoever discarded it died. */
const findMarked = named(
  'batches.find_removing',
  `select b.id from millrace.batches b where b.removing_at is not null order by b.removing_at, b.id limit 1`,
);

/** $1 an age in milliseconds: marks a batch that ended longer ago. */
const markEnded = named(
  'batches.mark_ended',
  `update millrace.batches b set removing_at = clock_timestamp()
   where b.id = (
     select o.id from millrace.batches o where o.ended_at < statement_timestamp() - $1::float8 * interval '1 millisecond' and o.removing_at is null
     order by o.ended_at, o.id limit 1 for update skip locked)
   returning b.id`,
);

/** $1 an age in milliseconds: marks a batch that was never started and to which nothing was sent for longer. */
const markUnstarted = named(
  'batches.mark_unstarted',
  `update millrace.batches b
   set removing_at = clock_timestamp(), state = 'cancelled', ended_at = clock_timestamp(), upload = null, upload_state = 'none',
     cause = '{"code":"discarded","detail":"It was not started for too long."}'
   where b.id = (
     select o.id from millrace.batches o
     where o.state = 'receiving' and o.received_at < statement_timestamp() - $1::float8 * interval '1 millisecond'
     order by o.received_at, o.id limit 1 for update skip locked)
   returning b.id`,
);

/** $1 batch, $2 how many. Only of one that is marked. */
const deleteItems = named(
  'batches.delete_items',
  `delete from millrace.batch_items where batch_id = (select b.id from millrace.batches b where b.id = $1::uuid and b.removing_at is not null)
     and position in (select position from millrace.batch_items where batch_id = $1::uuid order by position limit $2)`,
);

/** $1 batch: with its chunks and failures. Only one that is marked and has no items any more. */
const deleteBatch = named(
  'batches.delete',
  `delete from millrace.batches b where b.id = $1::uuid and b.removing_at is not null
     and not exists (select from millrace.batch_items i where i.batch_id = b.id)`,
);

const dayMs = 86_400_000;
/** A batch that was never started goes when nothing was sent to it for this time. */
const unstartedDays = 7;
const sliceSize = 2000;

export class BatchRetention {
  readonly #database: SqlDatabase;
  readonly #finishedDays: number;

  constructor(database: SqlDatabase, { finishedDays }: { readonly finishedDays: number }) {
    this.#database = database;
    this.#finishedDays = finishedDays;
  }

  /** One slice of one batch; true when there may be more. */
  async prune(): Promise<boolean> {
    const marked = await this.#marked();
    if (marked === undefined) return false;
    const { affected } = await this.#database.query(deleteItems, [marked, sliceSize]);
    if (affected < sliceSize) await this.#database.query(deleteBatch, [marked]);
    return true;
  }

  async #marked(): Promise<Uuid | undefined> {
    return (
      (await this.#one(findMarked, [])) ??
      (await this.#one(markEnded, [this.#finishedDays * dayMs])) ??
      (await this.#one(markUnstarted, [unstartedDays * dayMs]))
    );
  }

  async #one(
    statement: Parameters<SqlDatabase['query']>[0],
    parameters: readonly unknown[],
  ): Promise<Uuid | undefined> {
    const { rows } = await this.#database.query<{ readonly id: Uuid }>(statement, parameters);
    return rows[0]?.id;
  }
}
