import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { startDueMessages } from './start-sql.ts';

/** Messages that are to start later, in the ledger. */
export class StartTimes {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Makes those pending whose time has come by the ledger's clock, the longest due first, at most `limit`. */
  async startDue(limit: number): Promise<readonly { readonly id: Uuid; readonly stage: string }[]> {
    const { rows } = await this.#database.query<{ id: Uuid; stage: string }>(startDueMessages, [limit]);
    return rows;
  }
}
