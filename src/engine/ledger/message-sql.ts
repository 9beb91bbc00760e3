import { named } from '../../drivers/sql-database/sql-statement.ts';
import { writtenEventWaits } from './event-wait-sql.ts';
import { writtenJoins } from './join-sql.ts';
import { dueInTurn, newPlace, releaseEarlier, releaseNext } from './order-sql.ts';
import { laterStart, orderedFromStart, waitsForStart } from './start-sql.ts';

/*
 * Every statement about messages. Groups come in as one JSON array and are taken apart by the database:
 * one statement, one transaction, one round trip for any number of messages. A group may hold what two runs of one message
 * say, of which one has let its lease expire: everything that belongs to a run is joined by id and fencing token.
 * Time is the database's (clock_timestamp()), never a worker's.
 */

/** How long after a lease ran out the sweeper looks. */
export const leaseGrace = `interval '1 second'`;

export const envelopeColumns = `m.id, m.root_id, m.parent_id, m.source, m.event_id, m.type, m.version, m.pipeline, m.stage,
  m.owner, m.lane, m.team, m.customer, m.feature, m.batch, m.labels, m.item, m.trace_parent, m.created_at, m.admitted_at,
  m.body, m.body_ref, m.fencing_token, m.deliveries, m.attempts, m.invalid_output_attempts, m.prior_attempts, m.expired_leases, m.available_at, m.order_key, m.hops,
  m.branch_id, m.ends_branch, m.join_id, m.is_expired`;

/**
 * Which rows of `told` are leased as they are written: those that their process would begin at once (`lease_ms`), where their stage
 * is clear. A claim could get nothing else of it, for no message of the stage waits, nothing is blocked, and no key orders the row.
 */
const decidedLeases = `clear as materialized (
     select s.stage from (select distinct t.stage from told t where t.lease_ms is not null and t.order_key is null) s
     where not (select exists (select from millrace.blocks))
       and not exists (select from millrace.messages w where w.stage = s.stage and w.state = 'pending' and w.parked_for is null)),
   decided as (
     select t.*, s.starts_at,
       t.stage <> '' and t.lease_ms is not null and t.order_key is null and s.starts_at is null and t.stage in (select c.stage from clear c) as is_leased
     from told t cross join lateral ${laterStart('t')} s)`;

/**
 * The columns of such a row, with their values. Its worker may never learn of the lease, if the answer is lost: the first loss of a
 * run does not count then (expired_leases -1).
 */
const leaseColumns = 'fencing_token, deliveries, expired_leases, leased_by, leased_at, lease_until';
const leaseValues = (row: string, worker: string): string => {
  const leased = (value: string, otherwise: string): string =>
    `case when ${row}.is_leased then ${value} else ${otherwise} end`;
  const until = `clock_timestamp() + ${row}.lease_ms * interval '1 millisecond'`;
  return [
    leased('1', '0'),
    leased('1', '0'),
    leased('-1', '0'),
    leased(worker, 'null'),
    leased('clock_timestamp()', 'null'),
    leased(until, 'null'),
  ].join(', ');
};
/** When the sweeper looks at such a row, or at one that waits. */
const firstSweep = (row: string): string =>
  `case when ${row}.is_leased then clock_timestamp() + ${row}.lease_ms * interval '1 millisecond' + ${leaseGrace} else timestamptz 'infinity' end`;

/** $1 messages, $2 the worker. Answers those that are new, and of those that are leased to it the times. */
export const admitMessages = named(
  'ledger.admit_messages',
  `with told as materialized (
     select * from json_to_recordset($1::json) as r(id uuid, source text, event_id text, type text, version int, pipeline text,
       stage text, owner text, lane text, team text, customer text, feature text, batch text, labels text, item text,
       trace_parent text, body text, body_ref text, body_bytes int, order_key text, lease_ms int, start_at timestamptz, start_in_ms float8, place int)),
   ${decidedLeases}
   insert into millrace.messages as m (id, root_id, parent_id, source, event_id, type, version, pipeline, stage, owner, lane,
     team, customer, feature, batch, labels, item, trace_parent, body, body_ref, body_bytes, order_key, order_place, state,
     available_at, sweep_at, created_at, admitted_at, finished_at, start_at, parked_for, ${leaseColumns})
   select id, id, null, source, event_id, type, version, pipeline, stage, owner, lane,
     team, customer, feature, batch, labels, item, trace_parent, body, body_ref, body_bytes, order_key, ${orderedFromStart('r', newPlace('r'))},
     case when r.is_leased then 'leased' else 'pending' end,
     ${dueInTurn('r')}, ${firstSweep('r')}, clock_timestamp(), clock_timestamp(), null, ${waitsForStart('r')}, ${leaseValues('r', '$2')}
   from decided r
   on conflict (id) do nothing
   returning m.id, m.created_at, m.available_at, m.state = 'leased' as is_leased`,
);

/** $1 ids: those that are there. */
export const listKnown = named(
  'ledger.list_known',
  'select id from millrace.messages where id = any($1::uuid[])',
);

/** Known to be at work, a worker's run counts when it is lost, also that of a message that was written as leased (expired_leases -1). */
const runIsKnown = `expired_leases = greatest(m.expired_leases, 0)`;

/** $1 ids, $2 fencing tokens, $3 lease lengths. Answers the ids whose lease still was ours. */
export const renewLeases = named(
  'ledger.renew_leases',
  `update millrace.messages m
   set lease_until = clock_timestamp() + u.lease_ms * interval '1 millisecond', ${runIsKnown},
     sweep_at = clock_timestamp() + u.lease_ms * interval '1 millisecond' + ${leaseGrace}
   from unnest($1::uuid[], $2::int[], $3::int[]) as u(id, fencing_token, lease_ms)
   where m.id = u.id and m.fencing_token = u.fencing_token and m.state = 'leased'
   returning m.id`,
);

/**
 * $1 finished messages, $2 their emissions, $3 the worker, $4 the joins of emissions. The end of a message, everything that it emitted and
 * the place of its record in the outbox stand or fall together, and only the holder of the fencing token gets them in. An emission belongs
 * to the branch that it begins, else to its parent's. What the ends do to joins, the trigger messages_settle_joins says.
 */
export const finishMessages = named(
  'ledger.finish_messages',
  `with done as (
     update millrace.messages m
     set state = 'completed', finished_at = clock_timestamp(), result = f.result,
       sweep_at = null, leased_by = null, lease_until = null
     from json_to_recordset($1::json) as f(id uuid, fencing_token int, result text, detail text)
     where m.id = f.id and m.fencing_token = f.fencing_token and m.state = 'leased'
     returning m.id, f.fencing_token, f.detail, m.root_id, m.source, m.team, m.customer, m.feature, m.batch, m.labels, m.item, m.admitted_at,
       m.stage, m.order_key, m.hops, case when m.ends_branch then null else m.branch_id end as branch_id),
   told as materialized (
     select * from json_to_recordset($2::json) as e(id uuid, parent_id uuid, parent_fencing_token int, source text, type text, version int,
       pipeline text, stage text, owner text, lane text, trace_parent text, body text, body_ref text, body_bytes int,
       order_key text, lease_ms int, branch_id uuid, ends_branch boolean, join_id uuid, parked_for text, wait_ms float8,
       note text, default_body text, default_ref text, default_bytes int, start_at timestamptz, start_in_ms float8, place int)),
   ${decidedLeases},
   emitted as (
     insert into millrace.messages (id, root_id, parent_id, source, event_id, type, version, pipeline, stage, owner, lane,
       team, customer, feature, batch, labels, item, trace_parent, body, body_ref, body_bytes, order_key, order_place, state,
       available_at, sweep_at, created_at, admitted_at, finished_at, hops, branch_id, ends_branch, join_id, start_at, parked_for, waits_for, waits_since,
       ${leaseColumns})
     select e.id, d.root_id, d.id, e.source, e.id::text, e.type, e.version, e.pipeline, e.stage, e.owner, e.lane,
       d.team, d.customer, d.feature, d.batch, d.labels, d.item, e.trace_parent, e.body, e.body_ref, e.body_bytes, e.order_key,
       case when e.parked_for is null then ${orderedFromStart('e', newPlace('e'))} end,
       case when e.stage = '' then 'completed' when e.is_leased then 'leased' else 'pending' end,
       ${dueInTurn('e')},
       case when e.parked_for is not null then coalesce(clock_timestamp() + e.wait_ms * interval '1 millisecond', 'infinity')
         when e.stage <> '' then ${firstSweep('e')} end,
       clock_timestamp(), d.admitted_at,
       case when e.stage = '' then clock_timestamp() end, d.hops + 1,
       coalesce(e.branch_id, d.branch_id), case when e.branch_id is null then null else e.ends_branch end, e.join_id, ${waitsForStart('e', 'e.parked_for')}, e.parked_for,
       case when e.parked_for is not null then clock_timestamp() end,
       ${leaseValues('e', '$3')}
     from decided e
     join done d on d.id = e.parent_id and d.fencing_token = e.parent_fencing_token
     on conflict (id) do nothing
     returning id, state = 'leased' as is_leased, created_at, available_at),
   ${writtenJoins('$4')},
   ${writtenEventWaits},
   recorded as (
     insert into millrace.outbox (target, subject, detail) select 'message_outcomes', id, detail from done),
   ${releaseNext('done')}
   select id, fencing_token, null::timestamptz as created_at, null::timestamptz as available_at from done
   union all
   select id, null, created_at, available_at from emitted where is_leased`,
);

/** Notes what a message is put off for, by the alias of what says so; it has waited since it first did for the same. */
const putOffFor = (item: string): string => `waits_for = ${item}.waits_for,
       waits_since = case when m.waits_for = ${item}.waits_for then m.waits_since else clock_timestamp() end`;

/** $1 failed attempts that are to be made again after a delay. */
export const retryMessages = named(
  'ledger.retry_messages',
  `with returned as (
     update millrace.messages m
     set state = 'pending', attempts = m.attempts + case when f.is_invalid_output then 0 else 1 end,
       invalid_output_attempts = m.invalid_output_attempts + case when f.is_invalid_output then 1 else 0 end,
       expired_leases = 0, leased_by = null, lease_until = null, ${putOffFor('f')},
       available_at = clock_timestamp() + f.delay_ms * interval '1 millisecond',
       sweep_at = 'infinity'
     from json_to_recordset($1::json) as f(id uuid, fencing_token int, delay_ms int, is_invalid_output boolean, waits_for text)
     where m.id = f.id and m.fencing_token = f.fencing_token and m.state = 'leased'
     returning m.id, f.fencing_token, m.stage, m.order_key, m.order_place),
   ${releaseEarlier('returned')},
   noted as (
     insert into millrace.failures (message_id, fencing_token, at, code, retryable, detail)
     select r.id, r.fencing_token, clock_timestamp(), f.code, true, f.detail
     from returned r
     join json_to_recordset($1::json) as f(id uuid, fencing_token int, code text, detail text) on f.id = r.id and f.fencing_token = r.fencing_token
     on conflict do nothing)
   select id, fencing_token from returned`,
);

/** $1 messages that are given up on, or cancelled, with their last failure; $2 their outcome records. */
export const endMessages = named(
  'ledger.end_messages',
  `with ended as (
     update millrace.messages m
     set state = f.state, finished_at = clock_timestamp(), error_code = f.code,
       attempts = m.attempts + case when f.is_invalid_output then 0 else 1 end,
       invalid_output_attempts = m.invalid_output_attempts + case when f.is_invalid_output then 1 else 0 end,
       sweep_at = null, leased_by = null, lease_until = null
     from json_to_recordset($1::json) as f(id uuid, fencing_token int, state text, code text, is_invalid_output boolean)
     where m.id = f.id and m.fencing_token = f.fencing_token and m.state = 'leased'
     returning m.id, f.fencing_token, m.stage, m.order_key),
   ${releaseNext('ended')},
   noted as (
     insert into millrace.failures (message_id, fencing_token, at, code, retryable, detail)
     select e.id, e.fencing_token, clock_timestamp(), f.code, false, f.detail
     from ended e
     join json_to_recordset($1::json) as f(id uuid, fencing_token int, code text, detail text) on f.id = e.id and f.fencing_token = e.fencing_token
     on conflict do nothing),
   recorded as (
     insert into millrace.outbox (target, line)
     select 'message_outcomes', o.line
     from json_to_recordset($2::json) as o(message_id uuid, fencing_token int, line text)
     join ended e on e.id = o.message_id and e.fencing_token = o.fencing_token)
   select id, fencing_token from ended`,
);

/** $1 ids, $2 fencing tokens: released without blame (shutdown), to be taken by anyone at once, in their old places. */
export const releaseMessages = named(
  'ledger.release_messages',
  `with returned as (
     update millrace.messages m
     set state = 'pending', leased_by = null, lease_until = null, sweep_at = clock_timestamp()
     from unnest($1::uuid[], $2::int[]) as u(id, fencing_token)
     where m.id = u.id and m.fencing_token = u.fencing_token and m.state = 'leased'
     returning m.id, m.stage, m.order_key, m.order_place),
   ${releaseEarlier('returned')}
   select id from returned`,
);

/**
 * $1 messages that may not go on now, through no fault of theirs: no attempt counts. Without a delay they wait until
 * they are released by the name of what they are parked for.
 */
export const parkMessages = named(
  'ledger.park_messages',
  `with returned as (
     update millrace.messages m
     set state = 'pending', leased_by = null, lease_until = null, parked_for = p.parked_for, ${runIsKnown}, ${putOffFor('p')},
       available_at = coalesce(clock_timestamp() + p.delay_ms * interval '1 millisecond', clock_timestamp()),
       sweep_at = 'infinity'
     from json_to_recordset($1::json) as p(id uuid, fencing_token int, delay_ms int, parked_for text, waits_for text)
     where m.id = p.id and m.fencing_token = p.fencing_token and m.state = 'leased'
     returning m.id, p.fencing_token, m.stage, m.order_key, m.order_place),
   ${releaseEarlier('returned')}
   select id, fencing_token from returned`,
);

export const findMessage = named(
  'ledger.find_message',
  `select ${envelopeColumns}, m.state, m.result, m.error_code, m.finished_at, m.body_bytes
   from millrace.messages m where m.id = $1::uuid`,
);

/** $1 a message, $2 how many stages at most: the stages from the admitted message to it, in order. */
export const listPath = named(
  'ledger.list_path',
  `with recursive path as (
     select m.parent_id, m.stage, 1 as place from millrace.messages m where m.id = $1::uuid
     union all
     select p.parent_id, p.stage, path.place + 1
     from path join millrace.messages p on p.id = path.parent_id
     where path.place < $2::int)
   select stage from path order by place desc`,
);

export const listFailures = named(
  'ledger.list_failures',
  `select fencing_token, at, code, retryable, detail from millrace.failures where message_id = $1::uuid order by fencing_token`,
);
