import { named } from '../../drivers/sql-database/sql-statement.ts';
import { recordAction } from './operator-action.ts';
import { newPlace } from './order-sql.ts';

/* Every statement about messages that wait for an outside event. */

/** What such a message is parked for. */
export const waitsForEvent = 'event';

/** The part of a statement that writes what is known of the waits among the emissions `told`, of messages that `done` says have ended. */
export const writtenEventWaits = `event_waits as (
     insert into millrace.event_waits (id, note, expires_at, default_body, default_ref, default_bytes)
     select e.id, e.note, clock_timestamp() + e.wait_ms * interval '1 millisecond', e.default_body, e.default_ref, e.default_bytes
     from told e join done d on d.id = e.parent_id and d.fencing_token = e.parent_fencing_token
     where e.parked_for = '${waitsForEvent}'
     on conflict (id) do nothing)`;

/** $1 digest, $2 wait: a token for a wait that is not there yet. */
export const issueToken = named(
  'ledger.issue_event_token',
  `insert into millrace.event_wait_tokens (token_hash, wait_id) values ($1, $2::uuid)`,
);

/** $1 digest, $2 the only team: the wait of the token, with its message, as far as these are there. */
export const findByToken = named(
  'ledger.find_event_wait',
  `select t.wait_id, m.team, m.stage, m.type, m.version, m.lane, w.ended_by,
     m.state = 'pending' and m.parked_for = '${waitsForEvent}' and m.sweep_at > clock_timestamp() as is_open
   from millrace.event_wait_tokens t left join millrace.messages m on m.id = t.wait_id left join millrace.event_waits w on w.id = t.wait_id
   where t.token_hash = $1 and ($2::text is null or m.team = $2::text)`,
);

/**
 * $1 wait, $2 data, $3 its payload, $4 its bytes, $5 lane, $6 order key, $7 actor, $8 the audit's id, $9 reason. Once: the message waits no more
 * afterwards. Answers its stage.
 */
export const completeWait = named(
  'ledger.complete_event_wait',
  `with chosen as materialized (
     select m.id, m.order_key, -1 as place from millrace.messages m
     where m.id = $1::uuid and m.state = 'pending' and m.parked_for = '${waitsForEvent}' and m.sweep_at > clock_timestamp() for update),
   placed as (select c.id, $6::text as order_key, c.place from chosen c),
   done as (
     update millrace.messages m
     set body = $2, body_ref = $3, body_bytes = $4::int, lane = $5, order_key = p.order_key, order_place = ${newPlace('p')},
       parked_for = null, waits_for = null, waits_since = null, available_at = clock_timestamp(), sweep_at = 'infinity'
     from placed p where m.id = p.id
     returning m.id, m.stage, m.type, m.team),
   unused as (
     insert into millrace.payload_removals (reference)
     select w.default_ref from millrace.event_waits w join done d on d.id = w.id where w.default_ref is not null on conflict do nothing),
   ended as (
     update millrace.event_waits w
     set ended_at = clock_timestamp(), ended_by = 'completed', actor = $7, default_body = null, default_ref = null, default_bytes = null
     from done d where w.id = d.id),
   audited as (
     ${recordAction({
       id: '$8::uuid',
       actor: '$7',
       action: "'waits.complete'",
       target: "'wait ' || id",
       detail: "json_build_object('wait', id, 'type', type, 'stage', stage)",
       reason: '$9',
       team: 'team',
       from: 'done',
     })})
   select id, stage from done`,
);

/** $1 the only team, $2 the message after which to begin, $3 how many: messages that wait, the oldest first (ids begin with the time). */
export const listEventWaits = named(
  'ledger.list_event_waits',
  `with recursive teams as (
     (select m.team from millrace.messages m where m.parked_for = '${waitsForEvent}' and ($1::text is null or m.team = $1::text) order by m.team limit 1)
     union all
     select (select m.team from millrace.messages m where m.parked_for = '${waitsForEvent}' and m.team > t.team and $1::text is null order by m.team limit 1)
     from teams t where t.team is not null),
   found as (
     select l.* from teams t cross join lateral (
       select m.id, m.root_id, m.pipeline, m.stage, m.type, m.version, m.team, m.customer, m.feature, m.created_at
       from millrace.messages m
       where m.parked_for = '${waitsForEvent}' and m.team = t.team and m.id > $2::uuid
       order by m.id limit $3) l
     where t.team is not null)
   select f.*, w.note, w.expires_at, w.default_bytes is not null as has_default
   from found f join millrace.event_waits w on w.id = f.id order by f.id limit $3`,
);
