import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import { parkHeldMessages, releaseHeld } from './hold-sql.ts';
import { countParked, listParkedNames } from './parked-sql.ts';
import { type OverdueMessage, overdueOf, type WakeRow } from './sweep-ledger.ts';

/** Messages that wait until something is lifted. */
export class ParkedMessages {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** What messages wait for ("hold:…", "budget:…"). */
  async names(): Promise<readonly string[]> {
    const { rows } = await this.#database.query<{ name: string }>(listParkedNames);
    return rows.map((row) => row.name);
  }

  /** How many wait, by the kind of what they wait for ("hold", "budget"). */
  async counts(): Promise<Readonly<Record<string, number>>> {
    const { rows } = await this.#database.query<{ name: string; count: number }>(countParked);
    const counts: Record<string, number> = {};
    for (const { name, count } of rows) {
      const kind = name.split(':', 1)[0] ?? name;
      counts[kind] = (counts[kind] ?? 0) + count;
    }
    return counts;
  }

  /** Lets up to `limit` messages that wait for this go on; they are due at once, and whoever released them wakes them. */
  async release(name: string, limit: number): Promise<readonly OverdueMessage[]> {
    const { rows } = await this.#database.query<WakeRow>(releaseHeld, [name, limit]);
    return rows.map((row) => overdueOf(row));
  }

  /** Puts up to `limit` due messages of held origins aside, without blame. */
  async parkHeld(limit: number): Promise<readonly { readonly stage: string; readonly owner: string }[]> {
    const { rows } = await this.#database.query<{ stage: string; owner: string }>(parkHeldMessages, [limit]);
    return rows;
  }
}
