import { named } from '../../../drivers/sql-database/sql-statement.ts';
import { recordAction } from '../../../engine/ledger/operator-action.ts';

/*
 * Every statement about provider batches. What a worker writes holds only while it has the lease: its fencing token ($2) must be the
 * batch's. Leases are granted and judged by the database's clock.
 */

const columns = `b.id, b.account, b.model, b.endpoint, b.state, b.requests, b.estimated_tokens, b.file_id, b.provider_id, b.step_began_at,
  b.attempts, b.last_error, b.unresolved, b.ending, b.findings, b.cancel_requested_at, b.cancel_sent_at, b.next_at, b.fence, b.readings, b.hindered_since,
  b.planned_at, b.created_at, b.closed_at`;

const lease = (parameter: string): string =>
  `clock_timestamp() + ${parameter}::double precision * interval '1 millisecond'`;

/** $1 ids of requests. Those that stand in a batch, with it. */
export const findRequests = named(
  'provider-batches.find-requests',
  'select request_id, batch_id from millrace.provider_batch_requests where request_id = any($1::text[])',
);

/** $1 id, $2 account, $3 model, $4 endpoint, $5 requests, $6 bytes, $7 tokens, $8 now. */
export const planBatch = named(
  'provider-batches.plan',
  `insert into millrace.provider_batches (id, account, model, endpoint, state, requests, bytes, estimated_tokens, next_at, planned_at)
   values ($1::uuid, $2, $3, $4, 'planned', $5::int, $6::bigint, $7::bigint, $8::timestamptz, $8::timestamptz)`,
);

/** $1 the batch, $2 rows. */
export const planRequests = named(
  'provider-batches.plan-requests',
  `insert into millrace.provider_batch_requests (batch_id, place, request_id, body, estimated_tokens)
   select $1::uuid, r.place, r.request_id, r.body, r.estimated_tokens
   from json_to_recordset($2::json) as r (place int, request_id text, body text, estimated_tokens bigint)`,
);

/** $1 now, $2 the lease's length in milliseconds. Takes the batch that is due longest and that nobody works on. */
export const claimBatch = named(
  'provider-batches.claim',
  `update millrace.provider_batches b set fence = b.fence + 1, leased_until = ${lease('$2')}
   where b.id = (
     select d.id from millrace.provider_batches d
     where d.state not in ('closed', 'unresolved') and d.next_at <= $1::timestamptz
       and (d.leased_until is null or d.leased_until <= clock_timestamp())
     order by d.next_at, d.id limit 1 for update skip locked)
   returning ${columns}`,
);

/** $1 id, $2 fence, $3 the lease's length. */
export const renewLease = named(
  'provider-batches.renew',
  `update millrace.provider_batches b set leased_until = ${lease('$3')} where b.id = $1::uuid and b.fence = $2::bigint returning b.id`,
);

/**
 * $1 id, $2 fence, $3 the state it is in, $4 the one it goes to, $5 when it is due, $6 the lease's length, or null to return it, $7 when its step
 * began, $8 attempts, $9 the last error, $10 why it is unresolved; $11 file, $12 provider's id, $13 ending, $14 findings, $15 when its
 * cancellation was sent, $16 when it was created, $17 when it was closed, $18 how often its results were read: null keeps what is there. $19 whether it is
 * hindered: `yes`, `kept` as it was before, `no`.
 */
export const moveBatch = named(
  'provider-batches.move',
  `update millrace.provider_batches b set state = $4, next_at = $5::timestamptz, leased_until = ${lease('$6')},
     step_began_at = $7::timestamptz, attempts = $8::int, last_error = $9, unresolved = $10,
     file_id = coalesce($11, b.file_id), provider_id = coalesce($12, b.provider_id), ending = coalesce($13, b.ending),
     findings = coalesce($14, b.findings), cancel_sent_at = coalesce($15::timestamptz, b.cancel_sent_at),
     created_at = coalesce($16::timestamptz, b.created_at), closed_at = coalesce($17::timestamptz, b.closed_at), readings = coalesce($18::int, b.readings),
     hindered_since = case $19 when 'yes' then coalesce(b.hindered_since, clock_timestamp()) when 'kept' then b.hindered_since end
   where b.id = $1::uuid and b.fence = $2::bigint and b.state = $3
   returning ${columns}`,
);

/** $1 account and model as one text: batches of one model are begun one after another. */
export const lockEnqueued = named(
  'provider-batches.lock-enqueued',
  `select pg_advisory_xact_lock(hashtextextended('millrace.provider_batches ' || $1, 0))`,
);

/** $1 account, $2 model. What batches hold that the provider has, or may have. */
export const sumEnqueued = named(
  'provider-batches.sum-enqueued',
  `select coalesce(sum(b.estimated_tokens), 0)::text as tokens from millrace.provider_batches b
   where b.account = $1 and b.model = $2 and b.state in ('creating', 'running')`,
);

/** $1 account, $2 the provider's id, $3 the batch that looks. */
export const findOther = named(
  'provider-batches.find-other',
  `select 1 as found from millrace.provider_batches b where b.account = $1 and b.provider_id = $2 and b.id <> $3::uuid`,
);

/** $1 id, $2 after which place, $3 how many. */
export const readRequests = named(
  'provider-batches.read-requests',
  `select r.place, r.body from millrace.provider_batch_requests r
   where r.batch_id = $1::uuid and r.place > $2::int order by r.place limit $3::int`,
);

/** $1 id, $2 fence, $3 rows. The first outcome of a request stays. */
export const recordOutcomes = named(
  'provider-batches.record-outcomes',
  `insert into millrace.provider_batch_results (batch_id, place, outcome, status_code, result, error_code, error_message, input_tokens, output_tokens)
   select $1::uuid, o.place, o.outcome, o.status_code, o.result, o.error_code, o.error_message, o.input_tokens, o.output_tokens
   from json_to_recordset($3::json) as o (place int, outcome text, status_code int, result text, error_code text, error_message text,
     input_tokens bigint, output_tokens bigint)
   where exists (select from millrace.provider_batches b where b.id = $1::uuid and b.fence = $2::bigint)
   on conflict (batch_id, place) do nothing`,
);

/** $1 id. How many requests have no outcome yet. */
export const countOpen = named(
  'provider-batches.count-open',
  `select b.requests - (select count(*) from millrace.provider_batch_results o where o.batch_id = b.id)::int as open
   from millrace.provider_batches b where b.id = $1::uuid`,
);

/** $1 id, $2 the outcome, $3 code, $4 message. For every request that has none. */
export const endRest = named(
  'provider-batches.end-rest',
  `insert into millrace.provider_batch_results (batch_id, place, outcome, error_code, error_message)
   select r.batch_id, r.place, $2, $3, $4 from millrace.provider_batch_requests r
   where r.batch_id = $1::uuid
     and not exists (select from millrace.provider_batch_results o where o.batch_id = r.batch_id and o.place = r.place)`,
);

/** $1 id. Requests and tokens by outcome. */
export const sumOutcomes = named(
  'provider-batches.sum-outcomes',
  `select o.outcome, count(*)::int as requests, coalesce(sum(o.input_tokens), 0)::text as input_tokens,
     coalesce(sum(o.output_tokens), 0)::text as output_tokens, count(*) filter (where o.outcome = 'succeeded' and o.input_tokens is null)::int as silent
   from millrace.provider_batch_results o where o.batch_id = $1::uuid group by o.outcome order by 1`,
);

/** $1 id, $2 after which place, $3 how many. Outcomes in order. */
export const readOutcomes = named(
  'provider-batches.read-outcomes',
  `select o.place, r.request_id, o.outcome, o.status_code, o.result, o.error_code, o.error_message
   from (
     select * from millrace.provider_batch_results p
     where p.batch_id = $1::uuid and p.place > $2::int order by p.place limit $3::int) o
   join millrace.provider_batch_requests r on r.batch_id = o.batch_id and r.place = o.place
   order by o.place`,
);

/** $1 id, $2 fence, $3 the lease's length. Renews the lease, and says which outcomes are settled: those up to a place. */
export const beginSettling = named(
  'provider-batches.begin-settling',
  `update millrace.provider_batches b set leased_until = ${lease('$3')} where b.id = $1::uuid and b.fence = $2::bigint
   returning b.settled_through`,
);

/** $1 id, $2 the last place whose outcome is settled. */
export const markSettled = named(
  'provider-batches.mark-settled',
  `update millrace.provider_batches b set settled_through = $2::int where b.id = $1::uuid`,
);

/** $1 id. */
export const findBatch = named(
  'provider-batches.find',
  `select ${columns} from millrace.provider_batches b where b.id = $1::uuid`,
);

/** The least time at which a batch is due. */
export const nextDue = named(
  'provider-batches.next-due',
  `select min(b.next_at) as next_at from millrace.provider_batches b where b.state not in ('closed', 'unresolved')`,
);

/** $1 id, $2 now. Has it cancelled, from where it is. */
export const requestCancel = named(
  'provider-batches.request-cancel',
  `update millrace.provider_batches b set cancel_requested_at = coalesce(b.cancel_requested_at, $2::timestamptz),
     next_at = least(b.next_at, $2::timestamptz)
   where b.id = $1::uuid and b.state in ('planned', 'uploading', 'uploaded', 'creating', 'running') returning b.id`,
);

/**
 * $1 the batch, $2 the state it goes to or null for the one before it was sent, $3 the provider's id or null, $4 ending or null, $5 now; the audit: $6 id,
 * $7 actor, $8 detail, $9 reason, $10 the team it is of.
 * An operator's decision about what cannot go on by itself; given up is also what has been hindered for a while and may not be any more.
 */
export const resolveBatch = named(
  'provider-batches.resolve',
  `with resolved as (
     update millrace.provider_batches b set state = coalesce($2, case when b.file_id is null then 'planned' else 'uploaded' end),
       provider_id = coalesce($3, case when $2 = 'ended' then b.provider_id end), ending = $4, unresolved = null, last_error = null, attempts = 0,
       step_began_at = null, hindered_since = null, next_at = $5::timestamptz
     where b.id = $1::uuid and (b.state = 'unresolved' or $2 = 'ended' and b.hindered_since is not null and b.state in ('creating', 'running', 'ended', 'settled')) returning ${columns}),
   audited as (${recordAction({
     id: '$6::uuid',
     actor: '$7::text',
     action: `'provider-batches.resolve'`,
     target: `r.account || ' ' || r.id`,
     affected: 'r.requests',
     detail: '$8::json',
     reason: '$9::text',
     team: '$10::text',
     from: 'resolved r',
   })})
   select * from resolved`,
);

/** $1 before when it was closed, $2 how many. With their requests, bodies and results. */
export const forgetBatches = named(
  'provider-batches.forget',
  `delete from millrace.provider_batches b where b.id in (
     select d.id from millrace.provider_batches d where d.state = 'closed' and d.closed_at < $1::timestamptz order by d.closed_at, d.id limit $2::int)`,
);
