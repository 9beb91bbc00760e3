import { named } from '../../drivers/sql-database/sql-statement.ts';
import { selectedMessages } from './message-selection.ts';

/* Every statement of a tail. Each is answered by an index from what is new or followed. */

/** How far looks overlap: a message's time is taken before its transaction commits. */
const overlap = `interval '2 seconds'`;

/**
 * $15 where the last look ended (microseconds), null for the first, $16 how many. Messages written since, and those with a call
 * under way. Every row says where the next look begins; there is one at least.
 */
export const listNewMessages = named(
  'ledger.list_new_messages',
  `with recursive teams as (
     (select m.team from millrace.messages m where $1::text[] is null order by m.team limit 1)
     union all
     select (select m.team from millrace.messages m where m.team > t.team order by m.team limit 1)
     from teams t where t.team is not null),
   beginning as (
     select coalesce(timestamptz 'epoch' + $15::bigint * interval '1 microsecond', clock_timestamp()) as at),
   written as materialized (
     select l.id, l.created_at
     from (select team from teams where team is not null union all select unnest($1::text[])) t
     cross join lateral (
       select m.id, m.created_at from millrace.messages m
       where m.team = t.team and m.created_at >= (select at - ${overlap} from beginning)
       order by m.created_at, m.id limit $16) l
     order by l.created_at, l.id limit $16),
   calling as (
     select distinct c.message_id as id from (
       select message_id from millrace.calls where state = 'reserved' and message_id is not null
       order by reserved_at desc, id desc limit $16) c),
   found as (
     select m.id, m.parent_id, m.event_id, m.stage, m.team, m.customer, m.fencing_token, m.created_at, n.is_new
     from (
       select id, true as is_new from written
       union all
       select id, false from calling where id not in (select id from written)) n
     join millrace.messages m on m.id = n.id
     where ${selectedMessages}),
   place as (
     select coalesce(
       (select max(created_at) from written having count(*) >= $16), greatest((select at from beginning), clock_timestamp())) as next)
   select (extract(epoch from p.next) * 1000000)::bigint::text as next_us, f.*
   from place p left join found f on true
   order by f.created_at, f.id`,
);

/** $1 ids. */
export const readTailed = named(
  'ledger.read_tailed',
  `select m.id, m.state, m.error_code, m.finished_at from millrace.messages m where m.id = any($1::uuid[])
   order by m.finished_at, m.id`,
);

/** $1 ids, $2 the newest fencing token of each that was shown. */
export const listTailedFailures = named(
  'ledger.list_tailed_failures',
  `select f.message_id, f.fencing_token, f.at, f.code, f.retryable
   from unnest($1::uuid[], $2::int[]) as u(id, fencing_token) join millrace.failures f on f.message_id = u.id and f.fencing_token > u.fencing_token
   order by f.at, f.message_id, f.fencing_token`,
);

/** $1 ids: their calls of the last minute that are known to have ended. */
export const listTailedCalls = named(
  'ledger.list_tailed_calls',
  `select c.id, c.message_id, c.provider, c.model, c.state, c.outcome, c.duration_ms, c.cost_usd::text as cost_usd, c.settled_at
   from millrace.calls c where c.message_id = any($1::uuid[]) and c.settled_at > clock_timestamp() - interval '1 minute'
   order by c.settled_at, c.id`,
);
