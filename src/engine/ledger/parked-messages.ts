import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { parkBlockedMessages, releaseParked } from './block-sql.ts';
import { countParked, listParkedNames } from './parked-sql.ts';
import { type OverdueMessage, overdueOf, type NotifyRow } from './sweep-ledger.ts';

/** A place in the order of what is ready: by stage, lane, customer and age. */
export interface ReadyPlace {
  readonly stage: string;
  readonly lane: string;
  readonly customer: string;
  readonly at: string;
  readonly id: Uuid;
}

const firstPlace: ReadyPlace = {
  stage: '',
  lane: '',
  customer: '',
  at: '-infinity',
  id: '00000000-0000-0000-0000-000000000000',
};

/** What one look put aside, and where the next begins; undefined when the walk has come to its end. */
export interface ParkedBlocked {
  readonly parked: readonly { readonly stage: string; readonly owner: string }[];
  readonly next: ReadyPlace | undefined;
}

/** Messages that wait until something is lifted. */
export class ParkedMessages {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** What messages wait for ("pause:…"). */
  async names(): Promise<readonly string[]> {
    const { rows } = await this.#database.query<{ name: string }>(listParkedNames);
    return rows.map((row) => row.name);
  }

  /** How many wait, by the kind of what they wait for ("pause"). */
  async counts(): Promise<Readonly<Record<string, number>>> {
    const { rows } = await this.#database.query<{ name: string; count: number }>(countParked);
    const counts: Record<string, number> = {};
    for (const { name, count } of rows) {
      const kind = name.split(':', 1)[0] ?? name;
      counts[kind] = (counts[kind] ?? 0) + count;
    }
    return counts;
  }

  /** Lets up to `limit` messages that wait for this go on; they are due at once, and whoever released them notifies their stages. */
  async release(name: string, limit: number): Promise<readonly OverdueMessage[]> {
    const { rows } = await this.#database.query<NotifyRow>(releaseParked, [name, limit]);
    return rows.map((row) => overdueOf(row));
  }

  /** Looks at up to `limit` messages that are ready, after a place, and puts those of paused origins aside, without blame. */
  async parkBlocked(limit: number, after: ReadyPlace = firstPlace): Promise<ParkedBlocked> {
    const { rows } = await this.#database.query<ParkedRow>(parkBlockedMessages, [
      limit,
      after.stage,
      after.lane,
      after.customer,
      after.at,
      after.id,
    ]);
    const parked: { readonly stage: string; readonly owner: string }[] = [];
    let next: ReadyPlace | undefined;
    for (const row of rows) {
      if (row.id === null) parked.push({ stage: row.stage, owner: row.owner });
      else next = { stage: row.stage, lane: row.lane, customer: row.customer, at: row.at, id: row.id };
    }
    return { parked, next };
  }
}

type ParkedRow =
  | { readonly owner: string; readonly stage: string; readonly id: null }
  | (ReadyPlace & { readonly owner: null });
