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

/**
 * Brings what is left of cancelled and late batches to its end: what was not begun ends at once, open messages are cancelled, and their
 * items end as all others do, when nothing of them is open any more.
 */
export class WindDown {
  readonly #options: WindDownOptions;

  constructor(options: WindDownOptions) {
    this.#options = options;
  }

  /** A bounded part of it. Answers whether there is more to do at once. */
  async turn(): Promise<boolean> {
    const { database } = this.#options;
    await database.query(sql.expireBatches, [maxBatches]);
    const { rows } = await database.query<BatchRow>(sql.listCancelling, [maxBatches]);
    let hasMore = false;
    for (const row of rows) if (await this.#windDown(batchOf(row))) hasMore = true;
    return hasMore;
  }

  async #windDown(batch: Batch): Promise<boolean> {
    const { database, ends, composer, canceller } = this.#options;
    await database.query(sql.stopAdmissions, [batch.id]);
    const waiting = await ends.listWaiting(batch.id, maxItems);
    if (waiting.length > 0) {
      await composer.record(waiting, 'waiting');
      return true;
    }
    await composer.record(await ends.listNeverAdmitted(batch.id, maxItems), 'running');
    const open: readonly Uuid[] = await ends.listOpenMessages(batch.id, maxMessages);
    const cancelled = open.length === 0 ? [] : await canceller.cancel(open, cancelRecord(batch));
    const closed = await database.query<{ readonly count: number }>(sql.closeChunks, [batch.id, maxChunks]);
    return cancelled.length > 0 || closed.rows[0]?.count === maxChunks;
  }
}
