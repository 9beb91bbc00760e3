import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import type { MessageCanceller } from '../../../engine/pipeline/message-canceller.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import type { Batch } from '../batch.ts';
import { batchOf, type BatchRow } from '../batch-rows.ts';
import { cancelRecord } from './batch-record.ts';
import * as sql from './batch-ends-sql.ts';
import type { EndComposer } from './end-composer.ts';
import type { EndLedger } from './end-ledger.ts';

export interface WindDownOptions {
  readonly database: SqlDatabase;
  readonly ends: EndLedger;
  readonly composer: EndComposer;
  readonly canceller: MessageCanceller;
}

/** Batches of one turn, and what is done of each. */
const maxBatches = 4;
const maxItems = 500;
const maxMessages = 500;
const maxChunks = 1000;
/** Turns in which a batch is left alone of which nothing could be done: what its calls cost may take a day to be known. */
const restTurns = 20;
const firstId: Uuid = '00000000-0000-0000-0000-000000000000';

/**
 * Brings what is left of cancelled and late batches to its end: what was not begun ends at once, open messages are cancelled, and their
 * items end as all others do, when nothing of them is open any more: no message, and no call whose cost is not known yet.
 */
export class WindDown {
  readonly #options: WindDownOptions;
  /** The last batch that was looked at: the next turn goes on behind it. */
  #after: Uuid = firstId;
  #turns = 0;
  /** In which turn the batches are looked at again that rest. */
  readonly #resting = new Map<Uuid, number>();

  constructor(options: WindDownOptions) {
    this.#options = options;
  }

  /** A bounded part of it. Answers whether there is more to do at once. */
  async turn(): Promise<boolean> {
    const { database } = this.#options;
    this.#turns += 1;
    await database.query(sql.expireBatches, [maxBatches]);
    const { rows } = await database.query<BatchRow>(sql.listCancelling, [this.#after, maxBatches]);
    let hasMore = false;
    for (const row of rows) {
      const batch = batchOf(row);
      if ((this.#resting.get(batch.id) ?? 0) > this.#turns) continue;
      const found = await this.#windDown(batch);
      if (found === 'more') hasMore = true;
      if (found === 'nothing') this.#resting.set(batch.id, this.#turns + restTurns);
    }
    const last = rows.at(-1);
    // Those before it get their turn, however many rest.
    this.#after = last === undefined || rows.length < maxBatches ? firstId : last.id;
    for (const [id, until] of this.#resting) if (until <= this.#turns) this.#resting.delete(id);
    return hasMore;
  }

  /** Whether there is more to do of it at once, later, or nothing by what is known. */
  async #windDown(batch: Batch): Promise<'more' | 'some' | 'nothing'> {
    const { database, ends, composer, canceller } = this.#options;
    await database.query(sql.stopAdmissions, [batch.id]);
    const waiting = await ends.listWaiting(batch.id, maxItems);
    if (waiting.length > 0) {
      await composer.record(waiting, 'waiting');
      await this.#close(batch);
      return 'more';
    }
    const missing = await ends.listNeverAdmitted(batch.id, maxItems);
    await composer.record(missing, 'running');
    const open: readonly Uuid[] = await ends.listOpenMessages(batch.id, maxMessages);
    const cancelled = open.length === 0 ? [] : await canceller.cancel(open, cancelRecord(batch));
    const closed = await this.#close(batch);
    if (cancelled.length > 0 || closed === maxChunks) return 'more';
    return missing.length > 0 || open.length > 0 || closed > 0 ? 'some' : 'nothing';
  }

  /** Chunks of which no item is left. */
  async #close({ id }: Batch): Promise<number> {
    const { database } = this.#options;
    const { rows } = await database.query<{ readonly count: number }>(sql.closeChunks, [id, maxChunks]);
    return rows[0]?.count ?? 0;
  }
}
