import type { SqlStatement } from '../../drivers/sql-database/sql-database.ts';
import { named } from '../../drivers/sql-database/sql-statement.ts';
import {
  recordCalls,
  recordedColumns,
  blockOfCall,
  reservedColumns,
  reservedValues,
  settledColumns,
  toldReservations,
  toldSettlements,
} from './call-sql.ts';

/*
 * Every statement that moves amounts in quotas. What a call reserves, spends and gives back is written in the statement
 * that writes its row, so that for each window always
 *
 *   reserved_usd = the upper bounds of its calls under way
 *   spent_usd    = what its other calls cost, or may cost at most
 *
 * Rows are locked in one order: calls by id, then windows by quota and start. Windows are calendar windows in UTC,
 * told by the database's clock.
 */

/** The start of the calendar window of that unit that an instant lies in. */
export function startOfWindow(unit: string, at: string): string {
  return `date_trunc(${unit}, ${at}, 'UTC')`;
}

/** The end of the window that starts there. */
export function endOfWindow(unit: string, start: string): string {
  return `((${start} at time zone 'UTC' + ('1 ' || ${unit})::interval) at time zone 'UTC')`;
}

/**
 * $1 calls about to be made, with the names of the quotas that concern them. In their order, each is written if its
 * lease holds and its upper bound still fits all of its quotas beside what is spent, reserved, and granted before it
 * in this group. What an operator has stopped asks for nothing. A call without a known price reserves nothing and needs some room. Answers for every call that may go
 * out by its lease: reserved (by the instant that also told the windows, so that the row's time lies in the window that
 * it is charged to), lost (this very call was made), over_quota by which quota, or no_window, when a window
 * has no row yet and nothing was decided.
 */
export const reserveQuotaCalls = named(
  'ledger.reserve_quota_calls',
  `with recursive instant as materialized (select clock_timestamp() as at),
   told as materialized (
     select distinct on (r.id) r.* from json_to_recordset($1::json) as r(turn int, ${toldReservations},
       quotas text[]) order by r.id, r.turn),
   open as materialized (
     select t.*, ${blockOfCall('t')} as block
     from told t left join millrace.messages m on m.id = t.message_id
     where (t.message_id is null or (m.fencing_token = t.fencing_token and m.state = 'leased' and m.lease_until > clock_timestamp()))
       and not exists (select from millrace.calls c where c.id = t.id)),
   live as materialized (
     select o.*, coalesce(o.upper_bound_usd, 0) as bound, (row_number() over (order by o.turn))::int as place
     from open o where o.block is null),
   concerned as materialized (
     select b.name, b.limit_usd, b.window_unit, ${startOfWindow('b.window_unit', 'i.at')} as window_start
     from (select distinct n.name from live l cross join lateral unnest(l.quotas) as n(name)) asked_of
     join millrace.quotas b on b.name = asked_of.name and b.retired_at is null cross join instant i),
   locked as materialized (
     select w.quota, w.spent_usd, w.reserved_usd from millrace.quota_windows w
     where (w.quota, w.window_start) in (select c.name, c.window_start from concerned c)
     order by w.quota, w.window_start for update of w),
   rooms as materialized (
     select (row_number() over (order by c.name))::int as slot, c.name as quota, c.window_start, c.window_unit, c.limit_usd,
       k.quota is null as is_missing, c.limit_usd - k.spent_usd - k.reserved_usd as room
     from concerned c left join locked k on k.quota = c.name),
   queue as materialized (
     select l.*, share.slots, share.misses_window, share.windows from live l cross join lateral (
       select coalesce(array_agg(r.slot), '{}') as slots, coalesce(bool_or(r.is_missing), false) as misses_window,
         json_agg(json_build_object('quota', r.quota, 'window_start', r.window_start)) as windows
       from rooms r where r.quota = any(l.quotas)) share),
   decided (place, rooms, blocked_by) as (
     select 0, (select coalesce(array_agg(r.room order by r.slot), '{}') from rooms r), -1
     union all
     select q.place, case when blocked.by = -1 then taken.rooms else d.rooms end, blocked.by
     from decided d
     join queue q on q.place = d.place + 1
     cross join lateral (
       select case when q.misses_window then 0 else coalesce(min(u.slot), -1) end as by from unnest(q.slots) as u(slot)
       where d.rooms[u.slot] < q.bound or (q.upper_bound_usd is null and d.rooms[u.slot] <= 0)) blocked
     cross join lateral (
       select coalesce(array_agg(case when u.slot = any(q.slots) then u.room - q.bound else u.room end order by u.slot), '{}') as rooms
       from unnest(d.rooms) with ordinality as u(room, slot)) taken),
   verdicts as materialized (select array_agg(d.blocked_by order by d.place) as of_place from decided d where d.place > 0),
   written as (
     insert into millrace.calls (${reservedColumns}, state, reserved_at, quotas, quota_usd)
     select ${reservedValues('q')}, 'reserved', i.at, q.windows,
       case when q.windows is not null then q.bound end
     from queue q cross join verdicts v cross join instant i where v.of_place[q.place] = -1
     on conflict (id) do nothing
     returning id),
   asked as materialized (
     select r.quota, r.window_start, coalesce(sum(q.bound) filter (where q.id in (select w.id from written w)), 0) as reserved_usd,
       min(q.bound) filter (where q.bound <= r.limit_usd) as least_usd,
       min(q.bound) filter (where v.of_place[q.place] = r.slot and q.bound <= r.limit_usd) as refused_usd
     from queue q cross join verdicts v cross join lateral unnest(q.slots) as u(slot) join rooms r on r.slot = u.slot
     where v.of_place[q.place] <> 0
     group by r.quota, r.window_start),
   charged as (
     update millrace.quota_windows w
     set reserved_usd = w.reserved_usd + a.reserved_usd, least_usd = least(w.least_usd, a.least_usd),
       refused_usd = least(w.refused_usd, a.refused_usd)
     from asked a where w.quota = a.quota and w.window_start = a.window_start)
   select q.id, case when q.id in (select w.id from written w) then 'reserved' when v.of_place[q.place] = -1 then 'lost'
       when v.of_place[q.place] = 0 then 'no_window' else 'over_quota' end as kind,
     r.quota, r.limit_usd::text as limit_usd, ${endOfWindow('r.window_unit', 'r.window_start')} as window_ends_at,
     null::uuid as block, i.at
   from queue q cross join verdicts v cross join instant i left join rooms r on r.slot = v.of_place[q.place]
   union all
   select o.id, 'blocked', null, null, null, o.block, null from open o where o.block is not null`,
);

/** $1 names of quotas: makes the rows of their present windows where they are missing. */
export const openQuotaWindows = named(
  'ledger.open_quota_windows',
  `with instant as materialized (select clock_timestamp() as at)
   insert into millrace.quota_windows (quota, window_start)
   select b.name, ${startOfWindow('b.window_unit', 'i.at')} from millrace.quotas b cross join instant i
   where b.name = any($1::text[]) and b.retired_at is null order by b.name
   on conflict do nothing`,
);

/**
 * After a statement part `moved_calls` (quotas, was_usd, is_usd): locks the windows of these calls in order and takes
 * what they were worth from one side to the other.
 */
export const moveMoney = (change: string): string => `
   moved as materialized (
     select b.quota, b.window_start, sum(m.was_usd) as was_usd, sum(m.is_usd) as is_usd
     from moved_calls m cross join lateral millrace.windows_of_call(m.quotas) as b
     group by b.quota, b.window_start),
   kept as materialized (
     select w.quota, w.window_start from millrace.quota_windows w
     where (w.quota, w.window_start) in (select m.quota, m.window_start from moved m)
     order by w.quota, w.window_start for update of w),
   charged as (
     update millrace.quota_windows w set ${change}
     from kept k join moved m on m.quota = k.quota and m.window_start = k.window_start
     where w.quota = k.quota and w.window_start = k.window_start)`;

const fromReserved = 'reserved_usd = w.reserved_usd - m.was_usd, spent_usd = w.spent_usd + m.is_usd';
/** For calls that counted as spent before. */
export const fromSpent = 'spent_usd = w.spent_usd + m.is_usd - m.was_usd';

interface SettlementParts {
  readonly name: string;
  /** Which calls c are settled by s. */
  readonly condition: string;
  /** Where their money goes. */
  readonly change: string;
  /** What else changes in a call, and the statement that puts the record of `moved_calls` into the outbox. */
  readonly recorded: { readonly columns: string; readonly insert: string };
}

function settlement({ name, condition, change, recorded }: SettlementParts): SqlStatement {
  return named(
    name,
    `with told as materialized (
     ${toldSettlements}),
   open as materialized (
     select c.id, c.quotas, c.quota_usd from millrace.calls c join told s on s.id = c.id
     where ${condition} order by c.id for update of c),
   moved_calls as (
     update millrace.calls c
     set ${settledColumns}${recorded.columns},
       quota_usd = case when o.quotas is not null then
         case when s.state = 'settled' then coalesce(s.cost_usd, o.quota_usd) else o.quota_usd end end
     from told s join open o on o.id = s.id
     where c.id = o.id
     returning c.id, c.record_seq, s.lines, o.quotas, o.quota_usd as was_usd, c.quota_usd as is_usd),
   recorded as (${recorded.insert}),${moveMoney(change)}
   select id from moved_calls`,
  );
}

/** As settleCalls, for calls under quotas: what was reserved becomes what was spent. */
export const settleQuotaCalls = settlement({
  name: 'ledger.settle_quota_calls',
  condition: `c.state = 'reserved'`,
  change: fromReserved,
  recorded: { columns: `, ${recordedColumns}`, insert: recordCalls('moved_calls') },
});

/** As settleCalls, for calls that were already given up as unsettled, under quotas or not; the lines are the corrections. */
export const settleLateCalls = settlement({
  name: 'ledger.settle_late_call',
  condition: `c.state = 'unsettled' and s.state = 'settled'`,
  change: fromSpent,
  recorded: {
    columns: '',
    insert: `insert into millrace.outbox (target, line) select 'usage', l.line from moved_calls cross join lateral json_array_elements_text(lines) as l(line)`,
  },
});

/**
 * $1 ids with their usage lines: their outcome is unknown; the upper bound stands until they are reconciled, and counts
 * as spent.
 */
export const abandonCalls = named(
  'ledger.abandon_calls',
  `with told as materialized (select * from json_to_recordset($1::json) as a(id uuid, line text)),
   open as materialized (
     select c.id from millrace.calls c join told a on a.id = c.id where c.state = 'reserved' order by c.id for update of c),
   moved_calls as (
     update millrace.calls c
     set state = 'unsettled', settled_at = clock_timestamp(), outcome = 'unknown', settlement = 'unsettled', waste_reason = 'aborted'
     from open o where c.id = o.id
     returning c.id, c.quotas, c.quota_usd as was_usd, c.quota_usd as is_usd),
   recorded as (
     insert into millrace.outbox (target, line)
     select 'usage', a.line from told a join moved_calls m on m.id = a.id),${moveMoney(fromReserved)}
   select id from moved_calls`,
);
