import { named } from '../../drivers/sql-database/sql-statement.ts';
import { recordAction } from '../../engine/ledger/operator-action.ts';

/* Endpoints and their deliveries, as callers and operators see and change them. A viewer with a team has that team's. */

const endpointColumns = `e.id, e.kind, e.name, e.team, e.url, e.events, e.signing, e.secret, e.previous_until, e.state, e.cause, e.state_at,
  e.not_before, e.taken_at, e.created_at`;
const detail = `json_build_object('webhook', id, 'name', name)`;
const target = `'webhook ' || name`;

/** `$n` is the viewer's team, or null for all. */
const isSeen = (parameter: string): string =>
  `(${parameter}::text is null or e.kind = 'subscription' and e.team = ${parameter}::text)`;

/** $1 the viewer's team, $2 the id after which it goes on, $3 how many. */
export const listEndpoints = named(
  'webhooks.list_endpoints',
  `select ${endpointColumns} from millrace.webhook_endpoints e
   where ${isSeen('$1')} and e.id > $2::uuid order by e.id limit $3`,
);

/** $1 id, $2 the viewer's team. */
export const findEndpoint = named(
  'webhooks.find_endpoint',
  `select ${endpointColumns} from millrace.webhook_endpoints e where e.id = $1::uuid and ${isSeen('$2')}`,
);

/**
 * $1 id, $2 name, $3 team, $4 URL, $5 types, $6 how it signs, $7 secret, $8 the most of a team; $9 the audit's id, $10 actor, $11 reason. No row: the team has as
 * many already.
 */
export const insertEndpoint = named(
  'webhooks.insert_endpoint',
  `with made as (
     insert into millrace.webhook_endpoints (id, kind, name, team, url, events, signing, secret)
     select $1::uuid, 'subscription', $2, $3::text, $4, $5::text[], $6, $7
     where (select count(*) from millrace.webhook_endpoints o where o.kind = 'subscription' and o.team is not distinct from $3::text) < $8::int
     on conflict (coalesce(team, ''), name) where kind = 'subscription' do nothing
     returning *),
   audited as (
     ${recordAction({
       id: '$9::uuid',
       actor: '$10',
       action: "'webhooks.create'",
       target,
       detail: `json_build_object('webhook', id, 'name', name, 'events', events, 'signing', signing)`,
       reason: '$11',
       team: 'team',
       from: 'made',
     })})
   select ${endpointColumns} from made e`,
);

/** $1 name, $2 team. */
export const findEndpointByName = named(
  'webhooks.find_endpoint_by_name',
  `select e.id from millrace.webhook_endpoints e where e.kind = 'subscription' and coalesce(e.team, '') = coalesce($2::text, '') and e.name = $1`,
);

/** $1 id, $2 the viewer's team, $3 the new secret, $4 for how many seconds the old one signs too; $5 the audit's id, $6 actor, $7 reason. */
export const rotateSecret = named(
  'webhooks.rotate_secret',
  `with changed as (
     update millrace.webhook_endpoints e
     set previous_secret = case when $4::float8 > 0 then e.secret end,
       previous_until = case when $4::float8 > 0 then clock_timestamp() + $4::float8 * interval '1 second' end, secret = $3
     where e.id = $1::uuid and e.kind = 'subscription' and ${isSeen('$2')}
     returning *),
   audited as (
     ${recordAction({
       id: '$5::uuid',
       actor: '$6',
       action: "'webhooks.rotate'",
       target,
       detail: `json_build_object('webhook', id, 'name', name, 'previousUntil', previous_until)`,
       reason: '$7',
       team: 'team',
       from: 'changed',
     })})
   select ${endpointColumns} from changed e`,
);

/**
 * $1 id, $2 the viewer's team, $3 the new state; $4 the audit's id, $5 actor, $6 reason. What waits for one that is enabled is due at once, whatever it asked for. One
 * that has the state already stays as it is.
 */
export const setState = named(
  'webhooks.set_state',
  `with found as materialized (
     select e.* from millrace.webhook_endpoints e where e.id = $1::uuid and ${isSeen('$2')} for update),
   changed as (
     update millrace.webhook_endpoints e
     set state = $3, cause = case when $3 = 'disabled' then 'operator' end, state_at = clock_timestamp(), not_before = null
     from found f where e.id = f.id and f.state <> $3 returning e.*),
   audited as (
     ${recordAction({
       id: '$4::uuid',
       actor: '$5',
       action: `case when $3 = 'disabled' then 'webhooks.disable' else 'webhooks.enable' end`,
       target,
       detail,
       reason: '$6',
       team: 'team',
       from: 'changed',
     })})
   select ${endpointColumns} from changed e
   union all select ${endpointColumns} from found e where e.state = $3`,
);

/** $1 id, $2 the viewer's team; $3 the audit's id, $4 actor, $5 reason. With its deliveries. */
export const deleteEndpoint = named(
  'webhooks.delete_endpoint',
  `with gone as (
     delete from millrace.webhook_endpoints e where e.id = $1::uuid and e.kind = 'subscription' and ${isSeen('$2')} returning *),
   audited as (
     ${recordAction({
       id: '$3::uuid',
       actor: '$4',
       action: "'webhooks.delete'",
       target,
       detail,
       reason: '$5',
       team: 'team',
       from: 'gone',
     })})
   select ${endpointColumns} from gone e`,
);

/** $1 endpoint, $2 the viewer's team, $3 the event's id, $4 the delivery's, $5 its type, $6 body; $7 the audit's id, $8 actor. */
export const writeTestEvent = named(
  'webhooks.write_test_event',
  `with found as (
     select e.* from millrace.webhook_endpoints e where e.id = $1::uuid and e.state = 'enabled' and ${isSeen('$2')}),
   event as (
     insert into millrace.webhook_events (id, team, type, body) select $3::uuid, coalesce(team, ''), $5, $6 from found returning id),
   delivery as (
     insert into millrace.webhook_deliveries (id, event_id, endpoint_id) select $4::uuid, v.id, f.id from event v, found f returning id),
   audited as (
     ${recordAction({
       id: '$7::uuid',
       actor: '$8',
       action: "'webhooks.test'",
       target,
       detail,
       reason: "''",
       team: 'team',
       from: 'found',
     })})
   select id from delivery`,
);

const deliveryColumns = `d.id, d.event_id, d.endpoint_id, d.state, d.attempts, d.next_at, d.created_at, d.ended_at, v.type, v.subject,
  a.at as last_at, a.status as last_status, a.problem as last_problem`;
const lastAttempt = `left join lateral (
     select a.at, a.status, a.problem from millrace.webhook_attempts a where a.delivery_id = d.id order by a.attempt desc, a.delivery_id limit 1) a on true`;

/** $1 endpoint, $2 the viewer's team, $3 a state or null, $4 and $5 the place of the last one seen, $6 how many. */
export const listDeliveries = named(
  'webhooks.list_deliveries',
  `select ${deliveryColumns}, (extract(epoch from d.created_at) * 1000000)::bigint::text as at_us
   from millrace.webhook_endpoints e join millrace.webhook_deliveries d on d.endpoint_id = e.id
   join millrace.webhook_events v on v.id = d.event_id ${lastAttempt}
   where e.id = $1::uuid and ${isSeen('$2')} and ($3::text is null or d.state = $3::text)
     and (d.created_at, d.id) < (coalesce(timestamptz 'epoch' + $4::bigint * interval '1 microsecond', 'infinity'),
       coalesce($5::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
   order by d.created_at desc, d.id desc limit $6`,
);

/** $1 delivery, $2 the viewer's team. */
export const findDelivery = named(
  'webhooks.find_delivery',
  `select ${deliveryColumns}, v.body from millrace.webhook_deliveries d join millrace.webhook_endpoints e on e.id = d.endpoint_id
   join millrace.webhook_events v on v.id = d.event_id ${lastAttempt}
   where d.id = $1::uuid and ${isSeen('$2')}`,
);

/** $1 delivery, $2 how many: the latest of its attempts. */
export const listAttempts = named(
  'webhooks.list_attempts',
  `select a.attempt, a.at, a.duration_ms, a.status, a.problem, a.excerpt from millrace.webhook_attempts a
   where a.delivery_id = $1::uuid order by a.attempt desc, a.delivery_id limit $2`,
);

const queueAgain = `state = 'pending', step = 0, next_at = clock_timestamp(), queued_at = clock_timestamp(), ended_at = null`;

/** $1 delivery, $2 the viewer's team; $3 the audit's id, $4 actor, $5 reason. From the foot of the ladder, also one that was taken. */
export const redeliver = named(
  'webhooks.redeliver',
  `with found as (
     select d.id, e.id as endpoint, e.name, e.team from millrace.webhook_deliveries d join millrace.webhook_endpoints e on e.id = d.endpoint_id
     where d.id = $1::uuid and ${isSeen('$2')} for update of d),
   queued as (
     update millrace.webhook_deliveries d set ${queueAgain} from found f where d.id = f.id returning d.id),
   audited as (
     ${recordAction({
       id: '$3::uuid',
       actor: '$4',
       action: "'webhooks.redeliver'",
       target,
       detail: `json_build_object('webhook', endpoint, 'name', name, 'delivery', id)`,
       reason: '$5',
       team: 'team',
       from: 'found',
     })})
   select q.id from queued q`,
);

/**
 * $1 endpoint, $2 the viewer's team, $3 and $4 between which times they were written, $5 how many; $6 the audit's id, $7 actor, $8 reason: those that were given up on,
 * the oldest first.
 */
export const redeliverFailed = named(
  'webhooks.redeliver_failed',
  `with found as (
     select d.id, e.id as endpoint, e.name, e.team from millrace.webhook_endpoints e join millrace.webhook_deliveries d on d.endpoint_id = e.id
     where e.id = $1::uuid and ${isSeen('$2')} and d.state = 'failed' and d.created_at >= $3::timestamptz and d.created_at < $4::timestamptz
     order by d.created_at, d.id limit $5 for update of d skip locked),
   queued as (
     update millrace.webhook_deliveries d set ${queueAgain} from found f where d.id = f.id returning d.id),
   audited as (
     ${recordAction({
       id: '$6::uuid',
       actor: '$7',
       action: "'webhooks.redeliver'",
       target,
       affected: 'count',
       detail: `json_build_object('webhook', endpoint, 'name', name, 'from', $3::timestamptz, 'to', $4::timestamptz)`,
       reason: '$8',
       team: 'team',
       from: '(select endpoint, name, team, count(*)::int as count from found group by endpoint, name, team) f',
     })})
   select q.id from queued q`,
);
