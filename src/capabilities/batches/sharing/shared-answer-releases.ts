import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import type { Publisher } from '../../../engine/pipeline/publisher.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import * as sql from './shared-answer-sql.ts';
import { sharedWaitPrefix } from './shared-answers.ts';

/** Questions that one statement looks at, and messages that it lets go on. */
const sliceSize = 500;

const start = { batchId: '00000000-0000-0000-0000-000000000000', fingerprint: '' } as const;

/**
 * Lets messages go on that wait for an answer of another message's call, when it is there or will not come from that one. A turn looks at some
 * questions behind those of the turn before, so that many that take long keep none back.
 */
export class SharedAnswerReleases {
  readonly #database: SqlDatabase;
  readonly #publisher: Pick<Publisher, 'notify' | 'drain'>;
  #last: { readonly batchId: string; readonly fingerprint: string } = start;

  constructor(database: SqlDatabase, publisher: Pick<Publisher, 'notify' | 'drain'>) {
    this.#database = database;
    this.#publisher = publisher;
  }

  /** One turn. True when there is more to do at once. */
  async turn(): Promise<boolean> {
    const { batchId, fingerprint } = this.#last;
    const { rows } = await this.#database.query<ReleasedRow>(sql.releaseWaiting, [
      batchId,
      fingerprint,
      sliceSize,
      sharedWaitPrefix,
      sliceSize,
    ]);
    const released = rows.flatMap(({ id, stage }) => (id === null || stage === null ? [] : [{ id, stage }]));
    for (const { id, stage } of released) this.#publisher.notify(stage, id);
    if (released.length > 0) await this.#publisher.drain();
    // The same questions once more: more messages wait for them than one statement lets go on.
    if (released.length === sliceSize) return true;
    const [row] = rows;
    const isFull = row?.looked === sliceSize && row.last_batch !== null && row.last_fingerprint !== null;
    this.#last = isFull ? { batchId: row.last_batch, fingerprint: row.last_fingerprint } : start;
    return isFull;
  }
}

type ReleasedRow = {
  readonly looked: number;
  readonly id: Uuid | null;
  readonly stage: string | null;
  readonly last_batch: Uuid | null;
  readonly last_fingerprint: string | null;
};
