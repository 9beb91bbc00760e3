import type { SqlDatabase, SqlStatement } from '../drivers/sql-database/sql-database.ts';
import { named } from '../drivers/sql-database/sql-statement.ts';

/*
 * Old rows leave the ledger in slices. Nothing leaves that still counts: open messages, dead letters that nobody
 * discarded, calls that are not settled, and calls whose usage record may not have reached the column store stay. What a pruned call cost goes
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
  /** Windows of budgets, long over. */
  readonly windows: number;
}

/** $1 age, $2 how many. A call settled before the oldest unexported record was written has been exported itself. */
const pruneCalls = named(
  'ledger.prune_calls',
  `with exported_before as (
     select least(
       (select min(oldest.created_at) from (values ('usage'), ('message_outcomes')) as t(target)
        cross join lateral (select o.created_at from millrace.outbox o where o.target = t.target order by o.seq limit 1) oldest),
       clock_timestamp()) - interval '10 minutes' as at),
   gone as (
     delete from millrace.calls where id in (
       select c.id from millrace.calls c left join millrace.messages m on m.id = c.message_id, exported_before e
       where c.state = 'settled' and c.settled_at < clock_timestamp() - $1::float8 * interval '1 millisecond' and c.settled_at < e.at
         and (m.id is null or m.state in ('completed', 'cancelled')
           or m.discarded_at < clock_timestamp() - $1::float8 * interval '1 millisecond')
       limit $2)
     returning settled_at, message_id, origin, cost_usd, answer_ref),
   payloads as (
     insert into millrace.payload_removals (reference)
     select distinct answer_ref from gone where answer_ref is not null on conflict do nothing),
   summed as (
     insert into millrace.pruned_totals (day, team, calls, cost_usd)
     select (g.settled_at at time zone 'UTC')::date, coalesce(m.team, g.origin::json ->> 'team', ''), count(*), coalesce(sum(g.cost_usd), 0)
     from gone g left join millrace.messages m on m.id = g.message_id group by 1, 2
     on conflict (day, team) do update
     set calls = millrace.pruned_totals.calls + excluded.calls, cost_usd = millrace.pruned_totals.cost_usd + excluded.cost_usd)
   select count(*)::int as count from gone`,
);

/** $1 age, $2 how many. Only messages whose calls are gone already. */
const pruneMessages = named(
  'ledger.prune_messages',
  `with gone as (
     delete from millrace.messages where id in (
       select m.id from millrace.messages m
       where (m.state in ('completed', 'cancelled') or m.discarded_at is not null)
         and coalesce(m.discarded_at, m.finished_at) < clock_timestamp() - $1::float8 * interval '1 millisecond'
         and not exists (select from millrace.calls c where c.message_id = m.id)
       limit $2)
     returning id, body_ref),
   payloads as (
     insert into millrace.payload_removals (reference)
     select distinct body_ref from gone where body_ref is not null on conflict do nothing),
   notes as (delete from millrace.failures f using gone g where f.message_id = g.id),
   lives as (delete from millrace.dead_letter_actions a using gone g where a.message_id = g.id)
   select count(*)::int as count from gone`,
);

const pruneBatches = named(
  'ledger.prune_export_batches',
  `with gone as (
     delete from millrace.export_batches where id in (
       select id from millrace.export_batches
       where exported_at < clock_timestamp() - $1::float8 * interval '1 millisecond' limit $2)
     returning id)
   select count(*)::int as count from gone`,
);

/** $1 age, $2 how many. No window is longer than 31 days; one with calls in the air stays. */
const pruneBudgetWindows = named(
  'ledger.prune_budget_windows',
  `with gone as (
     delete from millrace.budget_windows w using (
       select budget, window_start from millrace.budget_windows
       where window_start < clock_timestamp() - interval '31 days' - $1::float8 * interval '1 millisecond' and reserved_usd = 0
       limit $2) old
     where w.budget = old.budget and w.window_start = old.window_start
     returning 1)
   select count(*)::int as count from gone`,
);

/** Prunes at most `slice` rows of each kind; call it again while a count equals the slice. */
export async function prune(database: SqlDatabase, ages: RetentionAges, slice: number): Promise<Pruned> {
  const run = async (statement: SqlStatement, ageMs: number): Promise<number> => {
    const { rows } = await database.query<{ count: number }>(statement, [ageMs, slice]);
    return rows[0]?.count ?? 0;
  };
  return {
    calls: await run(pruneCalls, ages.finishedMs),
    messages: await run(pruneMessages, ages.finishedMs),
    batches: await run(pruneBatches, ages.exportedMs),
    windows: await run(pruneBudgetWindows, ages.finishedMs),
  };
}
