import type { SqlDatabase, SqlStatement } from '../../drivers/sql-database/sql-database.ts';
import { named } from '../../drivers/sql-database/sql-statement.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { canBeRendered } from '../export/export-ledger.ts';

/*
 * Old rows leave the ledger in slices. Nothing leaves that still counts: open messages, dead letters that nobody
 * discarded, calls that are not settled, and whatever a record that has not reached the column store is about stay. What a pruned call cost goes
 * into pruned_totals in the same statement, so that the ledger's total never changes; the payloads of pruned rows into
 * payload_removals, for the payload cleaner.
 */

export interface RetentionAges {
  /** Completed, cancelled and discarded messages, and settled calls, older than this go. */
  readonly finishedMs: number;
  /** Records of exported batches older than this go. */
  readonly exportedMs: number;
}

export interface Pruned {
  readonly calls: number;
  readonly messages: number;
  readonly batches: number;
  /** Windows of quotas, long over. */
  readonly windows: number;
}

/** The first team after $1. */
const nextTeam = named(
  'ledger.next_team',
  `select team from millrace.messages where team > $1 order by team limit 1`,
);

/** $1 team, $2 age, $3 and $4 the message after which to begin, $5 how many: its messages of that age, oldest first. */
const listOldMessages = named(
  'ledger.list_old_messages',
  `select m.id, m.created_at::text as created_at,
     coalesce(m.state in ('completed', 'cancelled') and m.finished_at < o.at or m.discarded_at < o.at, false) as is_over
   from (select clock_timestamp() - $2::float8 * interval '1 millisecond' as at) o cross join lateral (
     select m.id, m.created_at, m.state, m.finished_at, m.discarded_at from millrace.messages m
     where m.team = $1 and m.created_at < o.at and (m.created_at, m.id) > ($3::timestamptz, $4::uuid)
     order by m.created_at, m.id limit $5) m
   order by m.created_at, m.id`,
);

/** $1 age, $2 and $3 the call after which to begin, $4 how many: calls of that age that belong to no message, oldest first. */
const listOldCallsOutside = named(
  'ledger.list_old_calls_outside',
  `select c.id, c.reserved_at::text as reserved_at from millrace.calls c
   where c.message_id is null and c.reserved_at < statement_timestamp() - $1::float8 * interval '1 millisecond'
     and (c.reserved_at, c.id) > ($2::timestamptz, $3::uuid)
   order by c.reserved_at, c.id limit $4`,
);

/** What ended before this has been exported: the records that wait in the outbox were all written later. */
const exportedBefore = `exported_before as materialized (
     select least(
       (select min(oldest.created_at) from (values ('usage'), ('message_outcomes')) as t(target)
        cross join lateral (select o.created_at from millrace.outbox o where o.target = t.target and ${canBeRendered} order by o.seq limit 1) oldest),
       clock_timestamp()) - interval '10 minutes' as at)`;

/** What is kept of calls that go: the counts and sums of ledger.total_calls, over settled calls. */
const prunedSums = [
  ['calls', 'count(*)'],
  ['cost_usd', 'coalesce(sum(g.cost_usd), 0)'],
  ['succeeded', "count(*) filter (where g.outcome = 'ok')"],
  ['failed', "count(*) filter (where g.outcome <> 'ok')"],
  ['estimated', "count(*) filter (where g.settlement = 'estimated')"],
  ['unpriced', 'count(*) filter (where g.cost_usd is null)'],
  ['estimated_usd', "coalesce(sum(g.cost_usd) filter (where g.settlement = 'estimated'), 0)"],
  ['estimated_upper_usd', "coalesce(sum(g.upper_bound_usd) filter (where g.settlement = 'estimated'), 0)"],
  [
    'open_upper_usd',
    "coalesce(sum(g.upper_bound_usd) filter (where g.cost_usd is null and g.settlement = 'reported'), 0)",
  ],
] as const;

/** Deletes calls that are settled, old ($1) and exported. */
const pruneCalls = (name: string, which: string): SqlStatement =>
  named(
    name,
    `with ${exportedBefore},
   gone as (
     delete from millrace.calls c where ${which} and c.state = 'settled'
       and c.settled_at < statement_timestamp() - $1::float8 * interval '1 millisecond' and c.settled_at < (select at from exported_before)
       and not exists (select from millrace.outbox o where o.target = 'usage' and o.seq = c.record_seq)
     returning c.settled_at, c.message_id, c.origin, c.cost_usd, c.upper_bound_usd, c.outcome, c.settlement, c.answer_ref),
   payloads as (
     insert into millrace.payload_removals (reference)
     select distinct answer_ref from gone where answer_ref is not null on conflict do nothing),
   summed as (
     insert into millrace.pruned_totals (day, team, ${prunedSums.map(([column]) => column).join(', ')})
     select (g.settled_at at time zone 'UTC')::date, coalesce(m.team, g.origin::json ->> 'team', ''), ${prunedSums.map(([, sum]) => sum).join(', ')}
     from gone g left join millrace.messages m on m.id = g.message_id group by 1, 2
     on conflict (day, team) do update
     set ${prunedSums.map(([column]) => `${column} = millrace.pruned_totals.${column} + excluded.${column}`).join(', ')})
   select count(*)::int as count from gone`,
  );

const pruneCallsOfMessages = pruneCalls('ledger.prune_calls', `c.message_id = any($2::uuid[])`);
const pruneCallsOutside = pruneCalls(
  'ledger.prune_calls_outside',
  `c.id = any($2::uuid[]) and c.message_id is null`,
);

/** $1 ids of messages that are over: those whose calls are gone, whose records are exported, and that no join is yet to read. */
const pruneMessages = named(
  'ledger.prune_messages',
  `with ${exportedBefore},
   gone as (
     delete from millrace.messages m
     where m.id = any($1::uuid[]) and (m.state in ('completed', 'cancelled') or m.discarded_at is not null)
       and m.finished_at < (select at from exported_before)
       and not exists (select from millrace.calls c where c.message_id = m.id)
       and not case when m.branch_id is null then false else exists (
         select from millrace.join_branches b join millrace.messages j on j.join_id = b.join_id
         where b.id = m.branch_id and (j.sweep_at is not null or j.state = 'dead_lettered' and j.discarded_at is null)) end
     returning id, body_ref, join_id),
   joins as (
     delete from millrace.joins j
     where j.id in (select g.join_id from gone g where g.join_id is not null)
       and not exists (select from millrace.messages m where m.join_id = j.id and m.id not in (select id from gone))
     returning id),
   branches as (delete from millrace.join_branches b using joins j where b.join_id = j.id),
   waits as (delete from millrace.event_waits w using gone g where w.id = g.id returning w.default_ref),
   tokens as (delete from millrace.event_wait_tokens t using gone g where t.wait_id = g.id),
   payloads as (
     insert into millrace.payload_removals (reference)
     select distinct r.reference from (select body_ref as reference from gone union all select default_ref from waits) r
     where r.reference is not null on conflict do nothing),
   notes as (delete from millrace.failures f using gone g where f.message_id = g.id),
   lives as (delete from millrace.dead_letter_actions a using gone g where a.message_id = g.id)
   select count(*)::int as count from gone`,
);

const pruneBatches = named(
  'ledger.prune_export_batches',
  `with gone as (
     delete from millrace.export_batches where id in (
       select id from millrace.export_batches
       where exported_at is not null and exported_at < statement_timestamp() - $1::float8 * interval '1 millisecond' limit $2)
     returning id)
   select count(*)::int as count from gone`,
);

/** $1 age, $2 how many. No window is longer than 31 days, a rolling one with its slices included; one with calls under way stays. */
const pruneQuotaWindows = named(
  'ledger.prune_quota_windows',
  `with gone as (
     delete from millrace.quota_windows w using (
       select quota, window_start from millrace.quota_windows
       where window_start < statement_timestamp() - interval '31 days' - $1::float8 * interval '1 millisecond' and reserved = 0
       limit $2) old
     where w.quota = old.quota and w.window_start = old.window_start
     returning w.quota, w.window_start),
   alerts as (
     delete from millrace.quota_alerts a using gone g where a.quota = g.quota and a.window_start = g.window_start)
   select count(*)::int as count from gone`,
);

/**
 * $1 age, $2 and $3 the token after which to begin, $4 how many are looked at: tokens of that age whose wait has ended, or never came to be since its
 * handler was given up. Answers the last one that was looked at.
 */
const pruneTokens = named(
  'ledger.prune_event_tokens',
  `with looked as materialized (
     select t.token_hash as fingerprint, t.created_at, t.wait_id from millrace.event_wait_tokens t
     where t.created_at < statement_timestamp() - $1::float8 * interval '1 millisecond' and (t.created_at, t.token_hash) > ($2::timestamptz, $3)
     order by t.created_at, fingerprint limit $4),
   gone as (
     delete from millrace.event_wait_tokens t where t.token_hash = any(array(
       select l.fingerprint from looked l
       where not coalesce((select w.ended_at is null from millrace.event_waits w where w.id = l.wait_id limit 1), false)
         and not coalesce((select m.sweep_at is not null from millrace.messages m where m.id = l.wait_id limit 1), false))))
   select l.created_at::text as at, l.fingerprint as hash, (select count(*) from looked)::int as looked
   from looked l order by l.created_at desc, l.fingerprint desc limit 1`,
);

interface Place {
  readonly at: string;
  readonly id: Uuid;
}

const beginning: Place = { at: '-infinity', id: '00000000-0000-0000-0000-000000000000' };

/**
 * Walks through what is old, slice by slice: team by team through messages, then through calls without one. What is old and
 * stays (dead letters, what was never settled) is passed over, and looked at again by the next walk.
 */
export class Retention {
  readonly #database: SqlDatabase;
  readonly #ages: RetentionAges;
  /** The team that the walk has come to; undefined between walks. */
  #team: string | undefined;
  #message = beginning;
  #call = beginning;
  #token = { at: '-infinity', hash: '' };

  constructor(database: SqlDatabase, ages: RetentionAges) {
    this.#database = database;
    this.#ages = ages;
  }

  /** Looks at up to `slice` rows of each kind, and prunes those that are over; the walk goes on while `hasMore`. */
  async prune(slice: number): Promise<Pruned & { readonly hasMore: boolean }> {
    const messages = await this.#pruneMessages(slice);
    const calls = await this.#pruneCallsOutside(slice);
    const hasMoreTokens = await this.#pruneTokens(slice);
    const batches = await this.#run(pruneBatches, [this.#ages.exportedMs, slice]);
    const windows = await this.#run(pruneQuotaWindows, [this.#ages.finishedMs, slice]);
    return {
      calls: messages.calls + calls.calls,
      messages: messages.messages,
      batches,
      windows,
      hasMore: messages.hasMore || calls.hasMore || hasMoreTokens || batches === slice || windows === slice,
    };
  }

  async #pruneMessages(slice: number): Promise<{ calls: number; messages: number; hasMore: boolean }> {
    this.#team ??= await this.#teamAfter('');
    if (this.#team === undefined) return { calls: 0, messages: 0, hasMore: false };
    const { rows } = await this.#database.query<{ id: Uuid; created_at: string; is_over: boolean }>(
      listOldMessages,
      [this.#team, this.#ages.finishedMs, this.#message.at, this.#message.id, slice],
    );
    const over = rows.flatMap((row) => (row.is_over ? [row.id] : []));
    const pruned = { calls: 0, messages: 0 };
    if (over.length > 0) {
      pruned.calls = await this.#run(pruneCallsOfMessages, [this.#ages.finishedMs, over]);
      pruned.messages = await this.#run(pruneMessages, [over]);
    }
    const last = rows.at(-1);
    if (rows.length === slice && last !== undefined) {
      this.#message = { at: last.created_at, id: last.id };
    } else {
      this.#message = beginning;
      this.#team = await this.#teamAfter(this.#team);
    }
    return { ...pruned, hasMore: this.#team !== undefined };
  }

  async #pruneCallsOutside(slice: number): Promise<{ calls: number; hasMore: boolean }> {
    const { finishedMs } = this.#ages;
    const { rows } = await this.#database.query<{ id: Uuid; reserved_at: string }>(listOldCallsOutside, [
      finishedMs,
      this.#call.at,
      this.#call.id,
      slice,
    ]);
    const ids = rows.map(({ id }) => id);
    const calls = ids.length === 0 ? 0 : await this.#run(pruneCallsOutside, [finishedMs, ids]);
    const last = rows.at(-1);
    const hasMore = rows.length === slice && last !== undefined;
    this.#call = hasMore ? { at: last.reserved_at, id: last.id } : beginning;
    return { calls, hasMore };
  }

  async #pruneTokens(slice: number): Promise<boolean> {
    const { at, hash } = this.#token;
    const { rows } = await this.#database.query<{ at: string; hash: string; looked: number }>(pruneTokens, [
      this.#ages.finishedMs,
      at,
      hash,
      slice,
    ]);
    const [last] = rows;
    const hasMore = last !== undefined && last.looked === slice;
    this.#token = hasMore ? { at: last.at, hash: last.hash } : { at: '-infinity', hash: '' };
    return hasMore;
  }

  async #teamAfter(team: string): Promise<string | undefined> {
    const { rows } = await this.#database.query<{ team: string }>(nextTeam, [team]);
    return rows[0]?.team;
  }

  async #run(statement: SqlStatement, parameters: readonly unknown[]): Promise<number> {
    const { rows } = await this.#database.query<{ count: number }>(statement, parameters);
    return rows[0]?.count ?? 0;
  }
}
