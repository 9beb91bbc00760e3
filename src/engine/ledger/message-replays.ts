import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../kernel/ids.ts';
import type { OperationRecord } from './operation-record.ts';
import { replayTrees } from './replay-sql.ts';

/** A message that lives again, with what it takes to notify its stage. */
export interface RevivedMessage {
  readonly id: Uuid;
  readonly stage: string;
}

const sliceSize = 1000;

/** Lets what died in trees of messages live again. */
export class MessageReplays {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /**
   * All dead letters of these trees but those that were discarded. Given again with the same record, it goes on where it was: none lives
   * again twice by one operation.
   */
  async replay(
    rootIds: readonly Uuid[],
    { id, actor, target, detail, reason }: OperationRecord,
  ): Promise<readonly RevivedMessage[]> {
    const revived: RevivedMessage[] = [];
    for (;;) {
      const { rows } = await this.#database.query<RevivedMessage>(replayTrees, [
        rootIds,
        sliceSize,
        id,
        actor,
        'dead_letters.replay',
        target,
        JSON.stringify(detail),
        reason,
      ]);
      revived.push(...rows);
      if (rows.length < sliceSize) return revived;
    }
  }
}
