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
 * that writes its row, so that for each window, in its quota's unit (dollars or tokens), always
 *
 *   reserved = the upper bounds of its calls under way
 *   spent    = what its other calls used, or may have used at most
 *
 * Windows are given by the database's clock: calendar windows of the quota's time zone, or slices of a rolling window, of which
 * the last so many count together. Rows are locked in one order: calls by id, then rolling quotas by name, then windows by quota
 * and start. Only reservations lock rolling quotas: their sum over slices is read while no other call can be granted.
 */

/** The start of the calendar window, or of the slice, of quota `q` that an instant lies in. */
export function startOfWindow(q: string, at: string): string {
  return `case when ${q}.slice_length is null then date_trunc(${q}.window_unit, ${at}, ${q}.time_zone)
       else date_bin(${q}.slice_length, ${at}, 'epoch') end`;
}

/**
 * The end of the window of quota `q` that starts there; of a slice, when the next one begins. Days and more end by the calendar
 * of the zone, where they can be longer or shorter; hours do not.
 */
export function endOfWindow(q: string, start: string): string {
  return `case when ${q}.slice_length is not null then ${start} + ${q}.slice_length
       when ${q}.window_unit = 'hour' then ${start} + interval '1 hour'
       else (date_trunc(${q}.window_unit, ${start} at time zone ${q}.time_zone) + ('1 ' || ${q}.window_unit)::interval) at time zone ${q}.time_zone end`;
}

/**
 * $1 calls about to be made, with the names of the quotas that concern them. In their order, each is written if its
 * lease holds and its upper bounds still fit all of its quotas beside what is spent, reserved, and granted before it
 * in this group. What an operator has stopped asks for nothing. A call without a known price reserves no dollars and needs some room. A
 * quota that is not enforced has room for everything. Answers for every call that may go out by its lease: reserved (by the instant that
 * also decided the windows, so that the row's time lies in the window that it is charged to), lost (this very call was made), over_quota
 * by which quota (of several one that names another model to ask, if there is one), or no_window, when a window has no row yet and
 * nothing was decided.
 */
export const reserveQuotaCalls = named(
  'ledger.reserve_quota_calls',
  `with recursive instant as materialized (select clock_timestamp() as at),
   told as materialized (
     select distinct on (r.id) r.* from json_to_recordset($1::json) as r(turn int, ${toldReservations},
       upper_bound_tokens numeric, quotas text[]) order by r.id, r.turn),
   open as materialized (
     select t.*, ${blockOfCall('t')} as block
     from told t left join millrace.messages m on m.id = t.message_id
     where (t.message_id is null or (m.fencing_token = t.fencing_token and m.state = 'leased' and m.lease_until > clock_timestamp()))
       and not exists (select from millrace.calls c where c.id = t.id)),
   live as materialized (
     select o.*, (row_number() over (order by o.turn))::int as place
     from open o where o.block is null),
   concerned as materialized (
     select b.name, b.unit, b.is_enforced, b.limit_amount, b.window_unit, b.time_zone, b.window_length, b.slice_length, b.switch_to,
       ${startOfWindow('b', 'i.at')} as window_start
     from (select distinct n.name from live l cross join lateral unnest(l.quotas) as n(name)) asked_of
     join millrace.quotas b on b.name = asked_of.name and b.retired_at is null cross join instant i),
   taking_turns as materialized (
     select b.name from millrace.quotas b
     where b.name in (select c.name from concerned c where c.slice_length is not null) order by b.name for no key update of b),
   locked as materialized (
     select w.quota, w.spent, w.reserved from millrace.quota_windows w
     where (select count(*) from taking_turns) >= 0 and (w.quota, w.window_start) in (select c.name, c.window_start from concerned c)
     order by w.quota, w.window_start for update of w),
   rooms as materialized (
     select (row_number() over (order by c.switch_to is null, c.name))::int as slot, c.name as quota, c.*, k.quota is null as is_missing,
       case when not c.is_enforced then 'infinity'::numeric
         else c.limit_amount - case when c.slice_length is null then k.spent + k.reserved
           else millrace.quota_used_since(k.quota, c.window_start - c.window_length) end end as room
     from concerned c left join locked k on k.quota = c.name),
   queue as materialized (
     select l.*, share.slots, share.needs, share.misses_window, share.windows, share.counts_tokens from live l cross join lateral (
       select coalesce(array_agg(r.slot) filter (where r.is_own), '{}') as slots,
         coalesce(bool_or(r.is_missing) filter (where r.is_own), false) as misses_window,
         coalesce(bool_or(r.unit = 'tokens') filter (where r.is_own), false) as counts_tokens,
         coalesce(array_agg(case when not r.is_own then 0 when r.unit = 'tokens' then coalesce(l.upper_bound_tokens, 0)
           else coalesce(l.upper_bound_usd, 0) end order by r.slot), '{}') as needs,
         json_agg(json_strip_nulls(json_build_object('quota', r.quota, 'window_start', r.window_start, 'unit', nullif(r.unit, 'usd'))))
           filter (where r.is_own) as windows
       from (select o.*, o.quota = any(l.quotas) as is_own from rooms o) r) share),
   decided (place, rooms, blocked_by) as (
     select 0, (select coalesce(array_agg(r.room order by r.slot), '{}') from rooms r), -1
     union all
     select q.place, case when blocked.by = -1 then taken.rooms else d.rooms end, blocked.by
     from decided d
     join queue q on q.place = d.place + 1
     cross join lateral (
       select case when q.misses_window then 0 else coalesce(min(u.slot), -1) end as by from unnest(q.slots) as u(slot)
       where d.rooms[u.slot] < q.needs[u.slot] or (q.upper_bound_usd is null and d.rooms[u.slot] <= 0)) blocked
     cross join lateral (
       select coalesce(array_agg(u.room - q.needs[u.slot] order by u.slot), '{}') as rooms
       from unnest(d.rooms) with ordinality as u(room, slot)) taken),
   verdicts as materialized (select array_agg(d.blocked_by order by d.place) as of_place from decided d where d.place > 0),
   written as (
     insert into millrace.calls (${reservedColumns}, state, reserved_at, quotas, quota_usd, quota_tokens)
     select ${reservedValues('q')}, 'reserved', i.at, q.windows,
       case when q.windows is not null then coalesce(q.upper_bound_usd, 0) end,
       case when q.counts_tokens then coalesce(q.upper_bound_tokens, 0) end
     from queue q cross join verdicts v cross join instant i where v.of_place[q.place] = -1
     on conflict (id) do nothing
     returning id),
   asked as materialized (
     select r.quota, r.window_start,
       coalesce(sum(q.needs[r.slot]) filter (where q.id in (select w.id from written w)), 0) as reserved,
       min(q.needs[r.slot]) filter (where q.needs[r.slot] <= r.limit_amount) as least_asked,
       min(q.needs[r.slot]) filter (where v.of_place[q.place] = r.slot and q.needs[r.slot] <= r.limit_amount) as least_refused
     from queue q cross join verdicts v cross join lateral unnest(q.slots) as u(slot) join rooms r on r.slot = u.slot
     where v.of_place[q.place] <> 0
     group by r.quota, r.window_start),
   charged as (
     update millrace.quota_windows w
     set reserved = w.reserved + a.reserved, least_asked = least(w.least_asked, a.least_asked),
       least_refused = least(w.least_refused, a.least_refused)
     from asked a where w.quota = a.quota and w.window_start = a.window_start)
   select q.id, case when q.id in (select w.id from written w) then 'reserved' when v.of_place[q.place] = -1 then 'lost'
       when v.of_place[q.place] = 0 then 'no_window' else 'over_quota' end as kind,
     r.quota, r.limit_amount::text as limit_amount, ${endOfWindow('r', 'r.window_start')} as window_ends_at,
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
   select b.name, ${startOfWindow('b', 'i.at')} from millrace.quotas b cross join instant i
   where b.name = any($1::text[]) and b.retired_at is null order by b.name
   on conflict do nothing`,
);

/**
 * After a statement part `moved_calls` (quotas, was_usd, is_usd, was_tokens, is_tokens): locks the windows of these calls in
 * order and takes what they were worth from one side to the other.
 */
export const moveAmounts = (change: string): string => `
   moved as materialized (
     select b.quota, b.window_start, sum(case b.unit when 'tokens' then m.was_tokens else m.was_usd end) as was,
       sum(case b.unit when 'tokens' then m.is_tokens else m.is_usd end) as becomes
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

const fromReserved = 'reserved = w.reserved - m.was, spent = w.spent + m.becomes';
/** For calls that counted as spent before. */
export const fromSpent = 'spent = w.spent + m.becomes - m.was';

/** What stands in a call that is open (`o`), once its counts of tokens are known as JSON. */
export const tokensOfCall = (counts: string): string =>
  `case when o.quota_tokens is not null
       then coalesce((select sum(t.count::numeric) from json_each_text(${counts}::json) as t(class, count)), 0) end`;

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
     select c.id, c.quotas, c.quota_usd, c.quota_tokens from millrace.calls c join told s on s.id = c.id
     where ${condition} order by c.id for update of c),
   moved_calls as (
     update millrace.calls c
     set ${settledColumns}${recorded.columns},
       quota_usd = case when o.quotas is not null then
         case when s.state = 'settled' then coalesce(s.cost_usd, o.quota_usd) else o.quota_usd end end,
       quota_tokens = case when s.state = 'settled' then ${tokensOfCall('s.tokens')} else o.quota_tokens end
     from told s join open o on o.id = s.id
     where c.id = o.id
     returning c.id, c.record_seq, s.lines, o.quotas, o.quota_usd as was_usd, c.quota_usd as is_usd,
       o.quota_tokens as was_tokens, c.quota_tokens as is_tokens),
   recorded as (${recorded.insert}),${moveAmounts(change)}
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

/**
 * As settleCalls, for calls that were already given up as unsettled, under quotas or not; the lines are the corrections. One that is unsettled
 * to its own maker, too, is waste for the reason that this one knows.
 */
export const settleLateCalls = settlement({
  name: 'ledger.settle_late_call',
  condition: `c.state = 'unsettled' and (s.state = 'settled' or s.waste_reason is distinct from c.waste_reason)`,
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
     set state = 'unsettled', settled_at = clock_timestamp(), outcome = 'unsettled', settlement = 'unsettled', waste_reason = 'aborted'
     from open o where c.id = o.id
     returning c.id, c.quotas, c.quota_usd as was_usd, c.quota_usd as is_usd, c.quota_tokens as was_tokens, c.quota_tokens as is_tokens),
   recorded as (
     insert into millrace.outbox (target, line)
     select 'usage', a.line from told a join moved_calls m on m.id = a.id),${moveAmounts(fromReserved)}
   select id from moved_calls`,
);
