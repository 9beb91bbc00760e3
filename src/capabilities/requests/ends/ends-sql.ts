import { named } from '../../../drivers/sql-database/sql-statement.ts';
import { hasOpen, hasOpenCall } from '../../../engine/ledger/tree-sql.ts';
import { seenBy, treeCost } from '../state/state-sql.ts';

/*
 * Every statement by which the ends of requests are found and recorded. A request has ended when its root message is there, neither that nor
 * anything that followed from it is open, and no call of these is.
 */

/** Those of the requests `q` of which nothing is open, with what they cost and how large what they said is. */
const endedOf = (source: string, limit: string): string => `ended as materialized (
     select q.id from ${source} q cross join lateral (select m.sweep_at from millrace.messages m where m.id = q.id offset 0) m
     where m.sweep_at is null and not ${hasOpen('q.id')} and not ${hasOpenCall('q.id')} order by q.id limit ${limit})`;
const endedColumns =
  'q.id, q.team, q.created_at, q.cancel_asked_at is not null as is_cancelling, s.*, z.bytes';
const endedParts = `join millrace.requests q on q.id = e.id cross join lateral ${treeCost('q.id')} s
   cross join lateral (
     select coalesce(sum(case when t.stage = '' then t.body_bytes else octet_length(t.result) end), 0)::int8::text as bytes
     from (select m.stage, m.body_bytes, m.result from millrace.messages m where m.id = q.id
       union all
       select m.stage, m.body_bytes, m.result from millrace.messages m where m.root_id = q.id and m.parent_id is not null and m.branch_id is null) t) z`;

/** $1 ids of trees: those that are requests which have ended and whose end is not recorded. */
export const findEndedAmong = named(
  'requests.find_ended_among',
  `with asked as materialized (select q.id from millrace.requests q where q.id = any($1::uuid[]) and q.ended_at is null),
   ${endedOf('asked', 'null')}
   select ${endedColumns} from ended e ${endedParts} order by q.id`,
);

/** $1 the last request that was looked at, $2 how many are looked at, $3 how many ended ones at most. Rows come with the last one that was looked at. */
export const findEnded = named(
  'requests.find_ended',
  `with looked as materialized (
     select q.id from millrace.requests q where q.ended_at is null and q.id > $1::uuid order by q.id limit $2),
   ${endedOf('looked', '$3')},
   place as (select count(*)::int as looked, (select l.id from looked l order by l.id desc limit 1) as last_id from looked),
   found as (select ${endedColumns} from ended e ${endedParts})
   select p.looked, p.last_id, f.* from place p left join found f on true order by f.id`,
);

/** $1 how many: requests that are being cancelled, the longest first, and whether messages of them are open. */
export const listCancelling = named(
  'requests.list_cancelling',
  `select q.id, q.actor, coalesce((select true from millrace.messages m where m.id = q.id and m.sweep_at is not null limit 1), false)
     or ${hasOpen('q.id')} as has_open
   from millrace.requests q where q.cancel_asked_at is not null and q.ended_at is null order by q.cancel_asked_at, q.id limit $1`,
);

/** $1 a request, $2 how many: messages of it that are open. */
export const listOpenMessages = named(
  'requests.list_open_messages',
  `select m.id from (
     select m.id, m.sweep_at from millrace.messages m where m.id = $1::uuid
     union all
     select m.id, m.sweep_at from millrace.messages m where m.root_id = $1::uuid and m.parent_id is not null) m
   where m.sweep_at is not null order by m.id limit $2`,
);

/** $1 id, $2 to $4 what the viewer may see: it is to be cancelled, unless it has ended. Answers it as it is. */
export const askCancel = named(
  'requests.ask_cancel',
  `with asked as (
     update millrace.requests q set cancel_asked_at = clock_timestamp()
     where q.id = $1::uuid and ${seenBy('$2', '$3', '$4')} and q.ended_at is null and q.cancel_asked_at is null
     returning q.id)
   select q.id, q.state from millrace.requests q where q.id = $1::uuid and ${seenBy('$2', '$3', '$4')}`,
);

/** $1 ends: each is recorded once, whoever composes it. Answers those that are recorded by this. */
export const recordEnds = named(
  'requests.record_ends',
  `with told as materialized (
     select * from json_to_recordset($1::json) as r(id uuid, state text, error_code text, error_message text, error_stage text, result text, result_ref text,
       outputs int, calls int, cost_usd numeric, unpriced int, unsettled int, unsettled_usd numeric)),
   recorded as (
   update millrace.requests q
   set state = t.state, ended_at = clock_timestamp(), error_code = t.error_code, error_message = t.error_message, error_stage = t.error_stage,
     result = t.result, result_ref = t.result_ref, outputs = t.outputs, calls = t.calls, cost_usd = t.cost_usd, unpriced = t.unpriced,
     unsettled = t.unsettled, unsettled_usd = t.unsettled_usd
   from told t where q.id = t.id and q.ended_at is null
   returning q.id, q.ended_at, q.result_ref, extract(epoch from q.ended_at - q.created_at)::float8 as seconds),
   held as (
     insert into millrace.held_payloads (holder, reference) select id, result_ref from recorded where result_ref is not null on conflict do nothing)
   select id, ended_at, seconds from recorded order by id`,
);
