import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import { named } from '../../../drivers/sql-database/sql-statement.ts';
import type { Uuid } from '../../../kernel/ids.ts';

/*
 * Old requests leave the ledger, as do those that were never accepted: their process died, or the ledger was away, between the row and its message, and no
 * client has heard of them. Nobody writes the message of a request so long after its row.
 */

/** $1 an age in milliseconds, $2 how many: those that ended longer ago, with their keys and what they hold of the payload store. */
const pruneEnded = named(
  'requests.prune',
  `with old as materialized (
     select q.id, q.result_ref from millrace.requests q where q.ended_at < statement_timestamp() - $1::float8 * interval '1 millisecond'
     order by q.ended_at, q.id limit $2 for update skip locked),
   keys as (delete from millrace.request_keys k using old o where k.request_id = o.id),
   held as (delete from millrace.held_payloads h using old o where h.holder = o.id),
   payloads as (
     insert into millrace.payload_removals (reference) select distinct o.result_ref from old o where o.result_ref is not null
     on conflict (reference) do update set due_at = clock_timestamp()),
   gone as (delete from millrace.requests q using old o where q.id = o.id)
   select count(*)::int as count from old`,
);

/** $1 the last request that was looked at, $2 how many, $3 an age in milliseconds: open ones without a message that are older. */
const pruneUnaccepted = named(
  'requests.prune_unaccepted',
  `with looked as materialized (
     select q.id, q.created_at from millrace.requests q where q.ended_at is null and q.id > $1::uuid order by q.id limit $2),
   unaccepted as materialized (
     select q.id from millrace.requests q join looked l on l.id = q.id
     where l.created_at < statement_timestamp() - $3::float8 * interval '1 millisecond'
       and not exists (select from millrace.messages m where m.id = l.id)
     order by q.id for update of q skip locked),
   keys as (delete from millrace.request_keys k using unaccepted u where k.request_id = u.id),
   gone as (delete from millrace.requests q using unaccepted u where q.id = u.id)
   select count(*)::int as looked, (select l.id from looked l order by l.id desc limit 1) as last_id from looked`,
);

/** $1 how many: keys whose time is over. */
const pruneKeys = named(
  'requests.prune_keys',
  `with old as materialized (
     select k.team, k.key from millrace.request_keys k where k.expires_at < statement_timestamp() order by k.expires_at, k.team, k.key limit $1 for update skip locked),
   gone as (delete from millrace.request_keys k using old o where k.team = o.team and k.key = o.key)
   select count(*)::int as count from old`,
);

const dayMs = 86_400_000;
/** Far longer than any write of a message may take. */
const unacceptedMs = 600_000;
const sliceSize = 2000;
const firstId: Uuid = '00000000-0000-0000-0000-000000000000';

export class RequestRetention {
  readonly #database: SqlDatabase;
  readonly #finishedDays: number;
  #after: Uuid = firstId;

  constructor(database: SqlDatabase, { finishedDays }: { readonly finishedDays: number }) {
    this.#database = database;
    this.#finishedDays = finishedDays;
  }

  /** One slice of each; true when there may be more. */
  async prune(): Promise<boolean> {
    const ended = await this.#count(pruneEnded, [this.#finishedDays * dayMs, sliceSize]);
    const keys = await this.#count(pruneKeys, [sliceSize]);
    const { rows } = await this.#database.query<{ looked: number; last_id: Uuid | null }>(pruneUnaccepted, [
      this.#after,
      sliceSize,
      unacceptedMs,
    ]);
    const [place] = rows;
    const hasMore = place !== undefined && place.looked === sliceSize;
    this.#after = (hasMore ? place.last_id : null) ?? firstId;
    return ended === sliceSize || keys === sliceSize || hasMore;
  }

  async #count(statement: typeof pruneEnded, values: readonly unknown[]): Promise<number> {
    const { rows } = await this.#database.query<{ count: number }>(statement, values);
    return rows[0]?.count ?? 0;
  }
}
