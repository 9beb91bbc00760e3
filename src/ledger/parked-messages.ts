import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import * as sql from './hold-sql.ts';
import { type OverdueMessage, overdueOf, type WakeRow } from './sweep-ledger.ts';

/** Messages that wait until something is lifted. */
export class ParkedMessages {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** What messages wait for ("hold:…", "budget:…"). */
  async names(): Promise<readonly string[]> {
    const { rows } = await this.#database.query<{ name: string }>(sql.listParkedNames);
    return rows.map((row) => row.name);
  }

  /** How many wait, by the kind of what they wait for ("hold", "budget"). */
  async counts(): Promise<Readonly<Record<string, number>>> {
    const { rows } = await this.#database.query<{ reason: string; count: number }>(sql.countParked);
    return Object.fromEntries(rows.map(({ reason, count }) => [reason, count]));
  }

  /** Lets up to `limit` messages that wait for this go on; they are due at once, and whoever released them wakes them. */
  async release(name: string, limit: number): Promise<readonly OverdueMessage[]> {
    const { rows } = await this.#database.query<WakeRow>(sql.releaseParked, [name, limit]);
    return rows.map((row) => overdueOf(row));
  }

  /** Puts up to `limit` due messages of held origins aside, without blame. */
  async parkHeld(limit: number): Promise<readonly { readonly stage: string; readonly owner: string }[]> {
    const { rows } = await this.#database.query<{ stage: string; owner: string }>(sql.parkHeldMessages, [
      limit,
    ]);
    return rows;
  }
}
