import { named } from '../../../drivers/sql-database/sql-statement.ts';

/* What is read of requests. Whether one has begun is what its root message says; what it cost so far is the sum of its calls, read by index. */

const columns = `q.id, q.team, q.customer, q.feature, q.labels, q.pipeline, q.type, q.version, q.actor, q.on_disconnect, q.disconnect_grace_ms, q.webhook,
  q.state, q.created_at, q.cancel_asked_at, q.ended_at, q.error_code, q.error_message, q.error_stage, q.outputs`;

const hasBegun = `coalesce((select m.deliveries > 0 from millrace.messages m where m.id = q.id limit 1), false)`;

/** Calls of the tree of a root, one statement's worth. */
const treeCalls = (root: string): string => `(
     select c.* from millrace.calls c where c.message_id = ${root}
     union all
     select c.* from (select d.id from millrace.messages d where d.root_id = ${root} and d.parent_id is not null offset 0) d
     cross join lateral (select c.* from millrace.calls c where c.message_id = d.id offset 0) c)`;

/** What the calls of a tree cost: the columns of a request's cost. */
export const treeCost = (root: string): string => `(
   select count(*)::int as calls, coalesce(sum(c.cost_usd) filter (where c.state = 'settled'), 0)::text as cost_usd,
     count(*) filter (where c.state = 'settled' and c.cost_usd is null)::int as unpriced,
     count(*) filter (where c.state in ('reserved', 'unsettled'))::int as unsettled,
     coalesce(sum(c.upper_bound_usd), 0)::text as unsettled_usd
   from ${treeCalls(root)} c)`;

/** What a viewer may see of requests `q`: by the team, the customer and the feature that its key is bound to, if any. */
export const seenBy = (team: string, customer: string, feature: string): string =>
  `(${team}::text is null or q.team = ${team}::text) and (${customer}::text is null or q.customer = ${customer}::text) and (${feature}::text is null or q.feature = ${feature}::text)`;

/** $1 id, $2 to $4 what the viewer may see, $5 whether the result is read as well. */
export const findRequest = named(
  'requests.find',
  `select ${columns}, case when $5::boolean then q.result end as result, case when $5::boolean then q.result_ref end as result_ref, ${hasBegun} as has_begun,
     coalesce(q.calls, s.calls) as calls, coalesce(q.cost_usd::text, s.cost_usd) as cost_usd, coalesce(q.unpriced, s.unpriced) as unpriced,
     coalesce(q.unsettled, s.unsettled) as unsettled, coalesce(q.unsettled_usd::text, s.unsettled_usd) as unsettled_usd,
     o.open, o.stage
   from millrace.requests q
   left join lateral ${treeCost('q.id')} s on q.ended_at is null
   left join lateral (
     select count(*)::int as open, (array_agg(m.stage order by m.hops desc, m.stage))[1] as stage from (
       select m.stage, m.hops, m.sweep_at from millrace.messages m where m.id = q.id
       union all
       select m.stage, m.hops, m.sweep_at from millrace.messages m where m.root_id = q.id and m.parent_id is not null) m
     where m.sweep_at is not null) o on q.ended_at is null
   where q.id = $1::uuid and ${seenBy('$2', '$3', '$4')}`,
);

/** $1 ids: those of them that have ended. */
export const listEndedAmong = named(
  'requests.list_ended_among',
  `select q.id from millrace.requests q where q.id = any($1::uuid[]) and q.ended_at is not null`,
);

/**
 * $1 the only team that the viewer may see, $2 teams, $3 customers, $4 features, $5 pipelines, $6 states, $7 the request that the page begins
 * behind, $8 how many are looked at, $9 how many are shown, $10 and $11 the only customer and feature that the viewer may see. Newest first. Rows come with the last one that was looked at.
 */
export const listRequests = named(
  'requests.list',
  `with looked as materialized (
     select q.* from millrace.requests q
     where ($1::text is null or q.team = $1::text) and ($2::text[] is null or q.team = any($2::text[])) and ($7::uuid is null or q.id < $7::uuid)
     order by q.id desc limit $8),
   place as (select count(*)::int as looked, (select l.id from looked l order by l.id limit 1) as last_id from looked),
   found as (
     select ${columns}, ${hasBegun} as has_begun, q.calls, q.cost_usd::text as cost_usd, q.unpriced, q.unsettled, q.unsettled_usd::text as unsettled_usd
     from looked q
     where ${seenBy('$1', '$10', '$11')} and ($3::text[] is null or q.customer = any($3::text[])) and ($4::text[] is null or q.feature = any($4::text[]))
       and ($5::text[] is null or q.pipeline = any($5::text[]))
       and ($6::text[] is null or case when q.state = 'queued' and ${hasBegun} then 'running' else q.state end = any($6::text[]))
     order by q.id desc limit $9)
   select p.looked, p.last_id, f.* from place p left join found f on true order by f.id desc`,
);
