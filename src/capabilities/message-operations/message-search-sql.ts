import { named } from '../../drivers/sql-database/sql-statement.ts';
import { envelopeColumns } from '../../engine/ledger/message-sql.ts';
import { waitsToStart } from '../../engine/ledger/start-sql.ts';
import { selectedMessages } from './message-selection.ts';

/* Every statement that finds messages for people. */

const summaryColumns = `m.id, m.root_id, m.parent_id, m.event_id, m.source, m.type, m.version, m.pipeline, m.stage, m.owner, m.lane, m.team,
     m.customer, m.feature, m.batch, m.labels, m.item, m.state, m.deliveries, m.attempts, m.invalid_output_attempts, m.error_code, m.parked_for,
     case when m.parked_for = '${waitsToStart}' then m.start_at else m.available_at end as available_at, m.start_at, m.leased_at, m.created_at, m.finished_at`;

/** What the calls of a message `m` came to. */
const spent = `(select count(*)::int as calls, coalesce(sum(c.cost_usd) filter (where c.state = 'settled'), 0)::text as cost_usd,
         count(*) filter (where c.state = 'settled' and c.cost_usd is null)::int as unpriced_calls,
         count(*) filter (where c.state in ('reserved', 'unsettled'))::int as unsettled_calls,
         coalesce(sum(c.upper_bound_usd), 0)::text as open_upper_usd
       from millrace.calls c where c.message_id = m.id)`;

/**
 * $15, $16 the place of the last one seen (microseconds and id), $17 how many are looked at, $18 how many are wanted. Newest
 * first. Of each team at most $17 rows are read, however rare a match is: the last one looked at is where the next page begins.
 * The first row carries that place even when nothing matches.
 */
export const listMessages = named(
  'ledger.list_messages',
  `with recursive teams as (
     (select m.team from millrace.messages m where $1::text[] is null order by m.team limit 1)
     union all
     select (select m.team from millrace.messages m where m.team > t.team order by m.team limit 1)
     from teams t where t.team is not null),
   looked as materialized (
     select l.id, l.created_at
     from (select team from teams where team is not null union all select unnest($1::text[])) t
     cross join lateral (
       select m.id, m.created_at from millrace.messages m
       where m.team = t.team and m.created_at >= coalesce($13::timestamptz, '-infinity')
         and m.created_at < coalesce($14::timestamptz, 'infinity')
         and (m.created_at, m.id) < (
           coalesce(timestamptz 'epoch' + $15::bigint * interval '1 microsecond', 'infinity'),
           coalesce($16::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
       order by m.created_at desc, m.id desc limit $17) l
     order by l.created_at desc, l.id desc limit $17),
   place as (
     select (select count(*)::int from looked) as looked,
       (select (extract(epoch from l.created_at) * 1000000)::bigint::text from looked l order by l.created_at, l.id limit 1) as last_us,
       (select l.id from looked l order by l.created_at, l.id limit 1) as last_id),
   found as (
     select ${summaryColumns} from looked l join millrace.messages m on m.id = l.id
     where ${selectedMessages}
     order by m.created_at desc, m.id desc limit $18)
   select p.looked, p.last_us, p.last_id, m.*, s.*,
     (extract(epoch from m.created_at) * 1000000)::bigint::text as created_us
   from place p left join found m on true left join lateral ${spent} s on m.id is not null
   order by m.created_at desc, m.id desc`,
);

/** $1 the id, $2 the only team that the viewer may see, $3 how many: the whole tree that the message is in, oldest first. */
export const listTree = named(
  'ledger.list_tree',
  `with asked as (
     select root_id, team from millrace.messages where id = $1::uuid and ($2::text is null or team = $2::text)),
   tree as (
     select m.id from asked a join millrace.messages m on m.id = a.root_id
     union all
     select m.id from asked a join millrace.messages m on m.root_id = a.root_id and m.parent_id is not null)
   select ${summaryColumns}, s.*
   from (select m.id from tree t join millrace.messages m on m.id = t.id
     where $2::text is null or m.team = $2::text order by m.created_at, m.id limit $3) t
   join millrace.messages m on m.id = t.id cross join lateral ${spent} s
   order by m.created_at, m.id`,
);

/** $1 the id, $2 the only team that the viewer may see. */
export const findBody = named(
  'ledger.find_body',
  `select ${envelopeColumns}, m.state, m.result from millrace.messages m
   where m.id = $1::uuid and ($2::text is null or m.team = $2::text)`,
);

/** $1 the id, $2 the only team, $3 whether what followed from it counts: how far it has come. */
export const findProgress = named(
  'ledger.find_progress',
  `with recursive asked as (
     select m.id, m.root_id, m.stage, m.state, m.result, m.error_code from millrace.messages m
     where m.id = $1::uuid and ($2::text is null or m.team = $2::text)),
   family as materialized (
     select m.id, m.parent_id, m.state from asked a join millrace.messages m on m.root_id = a.root_id and m.parent_id is not null
     where $3::boolean),
   below as (
     select id, state from asked
     union
     select f.id, f.state from family f join below b on f.parent_id = b.id)
   select a.root_id, a.state, a.result, a.error_code,
     (select count(*)::int from below where state in ('pending', 'leased')) as open,
     (select count(*)::int from below where state in ('dead_lettered', 'cancelled')) as failed,
     (select count(*)::int from below) as messages
   from asked a`,
);
