import { named } from '../../drivers/sql-database/sql-statement.ts';
import { maxAttempts } from './retry-ladder.ts';

/* Sending events to endpoints. The ledger writes them with the changes of state that they tell of (migration 0087). */

/** Whether the endpoint `e` is sent to. */
const isSentTo = `e.state = 'enabled' and (e.not_before is null or e.not_before <= clock_timestamp())`;

/**
 * $1 the endpoint after which the walk goes on, $2 how many endpoints it looks at. From endpoint to endpoint of what
 * waits: it costs the same however much waits for each.
 */
export const listDueEndpoints = named(
  'webhooks.list_due_endpoints',
  `with recursive walk as (
     (select d.endpoint_id from millrace.webhook_deliveries d where d.state = 'pending' and d.endpoint_id > $1::uuid
      order by d.endpoint_id, d.next_at, d.id limit 1)
     union all
     select (select d.endpoint_id from millrace.webhook_deliveries d where d.state = 'pending' and d.endpoint_id > w.endpoint_id
       order by d.endpoint_id, d.next_at, d.id limit 1)
     from walk w where w.endpoint_id is not null),
   page as materialized (select w.endpoint_id from walk w where w.endpoint_id is not null limit $2)
   select e.id, e.team, ${isSentTo} and first.next_at <= clock_timestamp() as is_due
   from page p join millrace.webhook_endpoints e on e.id = p.endpoint_id
   left join lateral (
     select d.next_at from millrace.webhook_deliveries d where d.endpoint_id = e.id and d.state = 'pending' and d.step < ${maxAttempts}
     order by d.next_at, d.id limit 1) first on true
   order by e.id`,
);

/**
 * $1 endpoints, $2 how many of each, $3 for how many seconds one that is begun is left alone. An attempt counts before the
 * request leaves: of one of which the process dies the next is made.
 */
export const claimDeliveries = named(
  'webhooks.claim_deliveries',
  `with asked as (select * from unnest($1::uuid[], $2::int[]) as a(endpoint_id, room)),
   due as (
     select d.id from asked a join millrace.webhook_endpoints e on e.id = a.endpoint_id and ${isSentTo}
     cross join lateral (
       select d.id from millrace.webhook_deliveries d
       where d.endpoint_id = a.endpoint_id and d.state = 'pending' and d.step < ${maxAttempts} and d.next_at <= clock_timestamp()
       order by d.next_at, d.id limit a.room for update skip locked) d)
   update millrace.webhook_deliveries d
   set attempts = d.attempts + 1, step = d.step + 1, next_at = clock_timestamp() + $3::float8 * interval '1 second'
   from due join millrace.webhook_deliveries c on c.id = due.id join millrace.webhook_events v on v.id = c.event_id
     join millrace.webhook_endpoints e on e.id = c.endpoint_id
   where d.id = due.id
   returning d.id, d.attempts as attempt, d.step, v.id as event, v.team as event_team, v.body, e.id as endpoint, e.kind, e.name, e.team, e.url, e.secret,
     case when e.previous_until > clock_timestamp() then e.previous_secret end as previous_secret`,
);

/**
 * $1 what became of attempts. Each moves its delivery once, and unless another attempt has begun since; one that was taken
 * always does. An endpoint that took nothing since a delivery was queued, until its last attempt, is disabled; one that says it is gone at once.
 */
export const recordAttempts = named(
  'webhooks.record_attempts',
  `with told as materialized (
     select * from json_to_recordset($1::json) as r(id uuid, attempt int, at timestamptz, "durationMs" int, status int, problem text, excerpt text,
       result text, "pauseSeconds" float8, "slowSeconds" float8)),
   moved as (
     update millrace.webhook_deliveries d
     set state = case when t.result = 'delivered' then 'delivered' when t.result = 'gone' or d.step >= ${maxAttempts} then 'failed' else 'pending' end,
       next_at = clock_timestamp() + greatest(t."pauseSeconds", t."slowSeconds") * interval '1 second',
       ended_at = case when t.result in ('delivered', 'gone') or d.step >= ${maxAttempts} then clock_timestamp() end
     from told t where d.id = t.id and d.state = 'pending' and (d.attempts = t.attempt or t.result = 'delivered')
     returning d.id, d.endpoint_id, d.state, d.queued_at, t.result, t."slowSeconds" as slow),
   logged as (
     insert into millrace.webhook_attempts (delivery_id, attempt, at, duration_ms, status, problem, excerpt)
     select t.id, t.attempt, t.at, t."durationMs", t.status, t.problem, t.excerpt from told t join millrace.webhook_deliveries d on d.id = t.id
     on conflict (delivery_id, attempt) do nothing),
   heard as (
     select m.endpoint_id, bool_or(m.result = 'delivered') as took, bool_or(m.result = 'gone') as is_gone, max(m.slow) as slow,
       min(m.queued_at) filter (where m.result = 'failed' and m.state = 'failed') as unheard_since
     from moved m group by m.endpoint_id),
   judged as (
     select e.id, h.took, h.slow, case when e.state = 'enabled' and h.is_gone then 'gone'
       when e.state = 'enabled' and not h.took and (e.taken_at is null or e.taken_at < h.unheard_since) and h.unheard_since is not null then 'exhausted' end as cause
     from heard h join millrace.webhook_endpoints e on e.id = h.endpoint_id),
   ended as (
     update millrace.webhook_endpoints e
     set taken_at = case when j.took then clock_timestamp() else e.taken_at end,
       not_before = case when j.slow is not null then clock_timestamp() + j.slow * interval '1 second' else e.not_before end,
       state = case when j.cause is null then e.state else 'disabled' end, cause = coalesce(j.cause, e.cause),
       state_at = case when j.cause is null then e.state_at else clock_timestamp() end
     from judged j where e.id = j.id
     returning e.id, e.name, e.team, j.cause)
   select m.id, m.state, null as name, null as team, null as cause from moved m where m.state = 'failed'
   union all select e.id, null, e.name, e.team, e.cause from ended e where e.cause is not null`,
);

/** $1 how many: those whose process died at the last attempt are given up on. */
export const giveUpDeliveries = named(
  'webhooks.give_up_deliveries',
  `with lost as (
     select d.id from millrace.webhook_deliveries d
     where d.state = 'pending' and d.step >= ${maxAttempts} and d.next_at <= clock_timestamp()
     order by d.next_at, d.id limit $1 for update skip locked)
   update millrace.webhook_deliveries d set state = 'failed', ended_at = clock_timestamp() from lost l where d.id = l.id returning d.id`,
);

/** What waits for enabled endpoints, and since when; how many are disabled. */
export const countDeliveries = named(
  'webhooks.count_deliveries',
  `with enabled as (
     select w.waiting, w.oldest from (select e.id from millrace.webhook_endpoints e where e.state = 'enabled' order by e.id limit 1000) e
     cross join lateral (
       select count(*)::int as waiting, min(o.queued_at) as oldest from (
         select d.queued_at from millrace.webhook_deliveries d where d.endpoint_id = e.id and d.state = 'pending'
         order by d.queued_at, d.id limit 100) o) w),
   disabled as (
     select e.cause from millrace.webhook_endpoints e where e.state = 'disabled' order by e.id limit 1000)
   select (select coalesce(sum(waiting), 0)::int from enabled) as waiting,
     (select coalesce(extract(epoch from clock_timestamp() - min(oldest)), 0)::float8 from enabled) as oldest_seconds,
     (select coalesce(json_object_agg(c.cause, c.count), '{}'::json) from (select cause, count(*) as count from disabled group by cause) c) as disabled`,
);

/** $1 days that events are kept, $2 how many are removed. */
export const pruneEvents = named(
  'webhooks.prune_events',
  `with old as (
     select v.id from millrace.webhook_events v where v.created_at < clock_timestamp() - $1::int * interval '1 day'
     order by v.created_at, v.id limit $2 for update skip locked)
   delete from millrace.webhook_events v using old o where v.id = o.id returning v.id`,
);
