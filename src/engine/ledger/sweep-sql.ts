import { named } from '../../drivers/sql-database/sql-statement.ts';
import { waitsForEvent } from './event-wait-sql.ts';
import { waitsForJoin } from './join-sql.ts';
import { isBehindItsKey, setAside } from './order-sql.ts';

/*
 * What was forgotten, and runs that were lost: their leases ended by themselves, because the worker died, stood still or
 * was cut off. The message goes back to its old place, at the head of its customer's. From the second loss on it may be
 * the message that kills: it waits for a while by chance, several times as long as its run took, so that those that were
 * lost with it run apart from it. How many losses are too many is the stage's to say (maxExpiredLeases). The first lease of a message that was
 * written as leased counts for nothing unless its worker is known to have begun: it renewed the lease, or says itself that it was lost.
 */

/** What it takes to notify a stage of a message `m`; its state is that of the row with the given name. */
export function notifyColumns(stateOf: string): string {
  return `m.id, m.stage, m.fencing_token, m.lane, m.team, m.customer, m.feature, m.batch, m.labels, m.trace_parent, ${stateOf}.state`;
}

const dueInMs = `greatest(0, extract(epoch from (m.available_at - clock_timestamp())) * 1000)::int`;

/** How long the run of a message `m` surely took: its lease ends one length after it was last renewed, 15 s at least. */
const runLength = `(least(m.lease_until, clock_timestamp()) - m.leased_at - interval '15 seconds')`;

/** How long a message `m` waits after an expired lease: a part, by chance, of a time that grows with losses and the run's length. */
const waitAfterExpiry = `case when m.expired_leases > 0 then random() * least(interval '15 minutes', greatest(
       2 * power(3, least(m.expired_leases, 5)) * interval '1 second', 2 * (m.expired_leases + 1) * ${runLength})) else interval '0' end`;

/** A message `m` after an expired lease `l`. */
const takenBackAs = (
  expiredLeases: string,
): string => `state = 'pending', leased_by = null, lease_until = null, expired_leases = ${expiredLeases},
     available_at = case when m.expired_leases <= 0 then m.available_at else clock_timestamp() + l.pause end`;

const takenBack = takenBackAs('m.expired_leases + 1');

/** The expired leases go into the account of what failed. */
const noted = `noted as (
     insert into millrace.failures (message_id, fencing_token, at, code, retryable, detail)
     select l.id, l.fencing_token, clock_timestamp(), 'MILLRACE_LEASE_EXPIRED', true,
       json_build_object('chain', json_build_array(json_build_object('code', 'MILLRACE_LEASE_EXPIRED', 'message',
         'The run was lost: worker ' || l.leased_by || ' let its lease end. It died, stood still, or was cut off from the ledger.')))
     from expired l on conflict do nothing)`;

/**
 * $1 how many: what should have been looked at by now. A message whose lease ran out is pending again, its fencing token unchanged:
 * claims look at pending ones only, and its old holder can end nothing that is not leased. A pending one that was released
 * or set aside is notified once, and no more: a set-aside one that is behind its key is released by whoever ends the one
 * before it, the others are found by their stage. One that waits for a join or for an outside event is there when its time limit is over. `state` is what it was.
 * The bound is the statement's beginning: clock_timestamp() is volatile, which no index scan can end at.
 */
export const sweepMessages = named(
  'ledger.sweep_messages',
  `with overdue as (
     select m.id, m.state, m.fencing_token, m.leased_by, m.join_id, coalesce(m.parked_for in ('${waitsForJoin}', '${waitsForEvent}'), false) as is_timed_out,
       coalesce(m.parked_for = '${waitsForEvent}', false) as awaits_event, ${waitAfterExpiry} as pause from millrace.messages m
     where m.sweep_at < 'infinity' and m.sweep_at < statement_timestamp() and (m.state <> 'leased' or m.lease_until < statement_timestamp())
     order by m.sweep_at limit $1 for update skip locked),
   expired as (select * from overdue where state = 'leased'),
   ${noted},
   taken_back as (
     update millrace.messages m set ${takenBack}, sweep_at = 'infinity'
     from expired l where m.id = l.id
     returning ${notifyColumns('l')}, false as is_parked, ${dueInMs} as due_in_ms),
   unseen as (
     update millrace.messages m set
       parked_for = case when l.is_timed_out or m.parked_for = '${setAside}' and not ${isBehindItsKey('m')} then null else m.parked_for end,
       waits_for = case when not l.is_timed_out then m.waits_for end,
       available_at = case when l.is_timed_out then clock_timestamp() else m.available_at end,
       order_place = case when l.is_timed_out and m.order_key is not null then nextval('millrace.order_places') * 1000000 else m.order_place end,
       (body, body_ref, body_bytes, is_expired) = (
         select case when w.default_bytes is null then m.body else w.default_body end, coalesce(w.default_ref, m.body_ref),
           coalesce(w.default_bytes, m.body_bytes), case when l.awaits_event and w.default_bytes is null then true end
         from (select l.id) i left join millrace.event_waits w on l.awaits_event and w.id = i.id),
       sweep_at = 'infinity'
     from overdue l where m.id = l.id and l.state <> 'leased'
     returning ${notifyColumns('l')}, m.parked_for is not null as is_parked, ${dueInMs} as due_in_ms),
   timed_out as (
     update millrace.joins j set released_at = clock_timestamp(), released_by = coalesce(millrace.join_released_by(j), 'timeout')
     where j.released_at is null and j.id = any(array(
       select k.id from millrace.joins k where k.id = any(array(select l.join_id from overdue l where l.is_timed_out)) and k.released_at is null
       order by k.id for update))),
   expired_waits as (
     update millrace.event_waits w set ended_at = clock_timestamp(), ended_by = 'expired', default_body = null, default_ref = null
     where w.id = any(array(select l.id from overdue l where l.awaits_event)) and w.ended_at is null)
   select * from taken_back union all select * from unseen`,
);

/** $1 ids, $2 fencing tokens: runs whose own worker says that their lease ended before they did. */
export const expireMessages = named(
  'ledger.expire_messages',
  `with expired as (
     select m.id, m.fencing_token, m.leased_by, ${waitAfterExpiry} as pause
     from millrace.messages m join unnest($1::uuid[], $2::int[]) as u(id, fencing_token) on m.id = u.id and m.fencing_token = u.fencing_token
     where m.state = 'leased' for update of m),
   ${noted}
   update millrace.messages m set ${takenBackAs('greatest(m.expired_leases, 0) + 1')}, sweep_at = clock_timestamp() + l.pause
   from expired l where m.id = l.id returning m.id`,
);

/** Every lease ends now: for a store that one process owns, when that process has just begun. */
export const expireAllLeases = named(
  'ledger.expire_all_leases',
  `with expired as (
     select m.id, m.fencing_token, m.leased_by, ${waitAfterExpiry} as pause from millrace.messages m where m.state = 'leased' for update),
   ${noted}
   update millrace.messages m set ${takenBack}, sweep_at = clock_timestamp() + l.pause
   from expired l where m.id = l.id returning m.id`,
);
