import { named } from '../../drivers/sql-database/sql-statement.ts';
import { blocksWork } from './block-sql.ts';

/* Every statement about calls and about what leaves the ledger for the column store. */

/** What the statement is given of a call about to be made, and its type; every one of them is a column of the call, too. */
const reservedTypes = {
  id: 'uuid',
  message_id: 'uuid',
  fencing_token: 'int',
  origin: 'text',
  step: 'text',
  ordinal: 'int',
  attempt: 'int',
  provider: 'text',
  model: 'text',
  operation: 'text',
  tier: 'text',
  request_kind: 'text',
  request_digest: 'text',
  fallback_from: 'text',
  shared_request: 'uuid',
  cascade_place: 'smallint',
  cascade_models: 'smallint',
  via: 'text',
  upper_bound_usd: 'numeric',
  parameters: 'text',
} as const;

/** The columns of calls about to be made, for json_to_recordset. */
export const toldReservations = Object.entries(reservedTypes)
  .map(([column, type]) => `${column} ${type}`)
  .join(', ');

/** The columns that a reservation writes, besides those that the statement adds. */
export const reservedColumns = Object.keys(reservedTypes).join(', ');

/** The values of these columns, from a relation. */
export const reservedValues = (relation: string): string =>
  Object.keys(reservedTypes)
    .map((column) => `${relation}.${column}`)
    .join(', ');
/** Whether block `h` stops the call that relation `call` asks for, for the message `m` or, without one, as work of its own. */
const stopsCall = (call: string): string => `h.scope = 'provider' and h.value = ${call}.provider
         or h.scope = 'model' and h.value = ${call}.provider || '/' || ${call}.model
         or (h.aborts or ${call}.message_id is null) and ${blocksWork('h', {
           stage: 'm.stage',
           team: `coalesce(m.team, ${call}.origin::json ->> 'team')`,
           customer: `coalesce(m.customer, ${call}.origin::json ->> 'customer')`,
           feature: `coalesce(m.feature, ${call}.origin::json ->> 'feature')`,
           batch: `coalesce(m.batch, ${call}.origin::json ->> 'batch')`,
         })}`;

/** The block that stops such a call, or null. Nearly always nothing is blocked: that is found out once for a whole group. */
export const blockOfCall = (
  call: string,
): string => `case when (select exists (select from millrace.blocks)) then (
       select h.id from millrace.blocks h
       where ${stopsCall(call)}
       order by h.created_at, h.id limit 1) end`;

/**
 * $1 calls about to be made. A call of a stage is written only while its message's lease is the caller's and
 * still runs; a call outside a stage has no message. A blocked model or provider stops every call; what blocks messages
 * lets a handler that runs go on, unless the block aborts. Answers which may go out, and which are blocked by what; the
 * others have let their lease expire. Nearly always nothing is blocked: then that is found out once for the whole group.
 */
export const reserveCalls = named(
  'ledger.reserve_calls',
  `with asked as materialized (
     select r.*, ${blockOfCall('r')} as block
     from json_to_recordset($1::json) as r(${toldReservations})
     left join millrace.messages m on m.id = r.message_id
     where r.message_id is null
        or (m.fencing_token = r.fencing_token and m.state = 'leased' and m.lease_until > clock_timestamp())),
   reserved as (
     insert into millrace.calls (${reservedColumns}, state, reserved_at)
     select ${reservedColumns}, 'reserved', clock_timestamp()
     from asked where block is null
     on conflict (id) do nothing
     returning id, reserved_at)
   select id, null::uuid as block, reserved_at from reserved
   union all
   select id, block, null from asked where block is not null`,
);

/** $1 settlements, as a relation. */
export const toldSettlements = `select * from json_to_recordset($1::json) as s(id uuid, state text, outcome text, settlement text,
       error_type text, answered_model text, tier text, provider_request_id text, tokens text, raw_usage text, cost_usd numeric,
       upper_bound_usd numeric, price_reference text, price_catalogue text, waste_reason text, duration_ms int,
       first_chunk_ms int, answer text, answer_ref text, is_invalidated boolean, is_suspect boolean, cascade_verdict text, cascade_usd numeric, detail text, lines json)`;

/** What a settlement s changes in its call. */
export const settledColumns = `state = s.state, settled_at = clock_timestamp(), outcome = s.outcome, settlement = s.settlement,
       error_type = s.error_type, answered_model = s.answered_model, tier = s.tier, provider_request_id = s.provider_request_id,
       tokens = s.tokens, raw_usage = s.raw_usage, cost_usd = s.cost_usd, upper_bound_usd = s.upper_bound_usd,
       price_reference = s.price_reference, price_catalogue = s.price_catalogue, waste_reason = s.waste_reason,
       cost_detail = s.detail, duration_ms = s.duration_ms, first_chunk_ms = s.first_chunk_ms, answer = s.answer, answer_ref = s.answer_ref,
       invalidated_at = case when s.is_invalidated then clock_timestamp() end, is_suspect = coalesce(s.is_suspect, false),
       cascade_verdict = s.cascade_verdict, cascade_usd = s.cascade_usd`;

/** What the call's own record changes in it. */
export const recordedColumns = `record_seq = nextval('millrace.outbox_seq_seq')`;

/** The calls of \`settled\` (id, record_seq) go into the outbox: their records are rendered from their rows. */
export const recordCalls = (settled: string): string => `
     insert into millrace.outbox (target, seq, subject) overriding system value
     select 'usage', record_seq, id from ${settled}`;

/** $1 settlements. Only calls that are still reserved; answers their ids. */
export const settleCalls = named(
  'ledger.settle_calls',
  `with told as materialized (
     ${toldSettlements}),
   settled as (
     update millrace.calls c
     set ${settledColumns}, ${recordedColumns}
     from told s
     where c.id = s.id and c.state = 'reserved'
     returning c.id, c.record_seq),
   recorded as (${recordCalls('settled')})
   select id from settled`,
);

/** $1 message ids: the calls made for them so far, in order. */
export const listCalls = named(
  'ledger.list_calls',
  `select id, message_id, fencing_token, step, ordinal, attempt, state, outcome, settlement, request_digest, provider, model, operation, tier,
     request_kind, error_type, reserved_at, upper_bound_usd, answer, answer_ref, cost_usd, invalidated_at is not null as is_invalidated, cascade_verdict,
     case when request_kind = 'batch' then exists (
       select from millrace.dead_letter_actions a where a.message_id = calls.message_id and a.fencing_token >= calls.fencing_token) else false end as is_of_earlier_life
   from millrace.calls where message_id = any($1::uuid[]) order by reserved_at, ordinal, attempt, id`,
);

/** What is told of a call `c` with whom it is made for: its message `m`, or its own origin. */
const attributedColumns = `c.id, c.message_id, c.fencing_token, c.origin as call_origin, c.step, c.ordinal, c.attempt, c.provider, c.model, c.operation, c.tier, c.request_kind,
     c.fallback_from, c.shared_request, c.cascade_place, c.cascade_models, c.via, c.reserved_at, c.upper_bound_usd, m.root_id, m.pipeline, m.stage, m.owner, m.team, m.customer, m.feature, m.batch, m.labels,
     m.item, m.trace_parent`;

/** $1 ids. Those that were put off and are open still, in the order in which they are locked when they are settled. */
export const findDeferredCalls = named(
  'ledger.find_deferred_calls',
  `select ${attributedColumns}
   from millrace.calls c left join millrace.messages m on m.id = c.message_id
   where c.id = any($1::uuid[]) and c.state = 'reserved' and c.request_kind = 'batch' order by c.id`,
);

/**
 * $1 a grace in milliseconds, $2 how many: calls that are still reserved though nobody can be waiting for them any more,
 * because their message's lease has ended or passed on (or, outside a stage, because they are very old). Those that were put off are not among
 * them: they outlive the lease, and whoever keeps them settles them.
 */
export const listAbandonedCalls = named(
  'ledger.list_abandoned_calls',
  `select ${attributedColumns}
   from millrace.calls c left join millrace.messages m on m.id = c.message_id
   where c.state = 'reserved' and c.request_kind = 'single' and c.reserved_at < statement_timestamp() - $1::int * interval '1 millisecond'
     and ((c.message_id is null and c.reserved_at < statement_timestamp() - interval '1 hour')
       or m.fencing_token <> c.fencing_token or m.state <> 'leased' or m.lease_until < statement_timestamp())
   order by c.reserved_at, c.id limit $2`,
);

/**
 * What the ledger says in total, pruned rows included in every count and sum. A call is unpriced as its records say it is
 * (countsOfCall): without a cost when it is settled, without an upper bound while its outcome is unknown.
 */
export const totalCalls = named(
  'ledger.total_calls',
  `with live as (
     select count(*) as calls,
       count(*) filter (where state = 'reserved') as reserved,
       count(*) filter (where state = 'settled' and outcome = 'ok') as succeeded,
       count(*) filter (where state = 'settled' and outcome <> 'ok') as failed,
       count(*) filter (where state = 'settled' and settlement = 'estimated') as estimated,
       count(*) filter (where state = 'unsettled') as unsettled,
       count(*) filter (where (state = 'settled' and cost_usd is null)
         or (state = 'unsettled' and upper_bound_usd is null)) as unpriced,
       coalesce(sum(cost_usd) filter (where state = 'settled'), 0) as settled_usd,
       coalesce(sum(cost_usd) filter (where state = 'settled' and settlement = 'estimated'), 0) as estimated_usd,
       coalesce(sum(upper_bound_usd) filter (where state = 'settled' and settlement = 'estimated'), 0) as estimated_upper_usd,
       coalesce(sum(upper_bound_usd) filter (where state <> 'settled' or (cost_usd is null and settlement = 'reported')), 0) as open_upper_usd
     from millrace.calls),
   pruned as (
     select ${sumsOf(['calls', 'succeeded', 'failed', 'estimated', 'unpriced', 'cost_usd', 'estimated_usd', 'estimated_upper_usd', 'open_upper_usd'])}
     from millrace.pruned_totals)
   select (l.calls + p.calls)::int as calls, l.reserved::int as reserved, (l.succeeded + p.succeeded)::int as succeeded,
     (l.failed + p.failed)::int as failed, (l.estimated + p.estimated)::int as estimated, l.unsettled::int as unsettled,
     (l.unpriced + p.unpriced)::int as unpriced,
     (l.settled_usd + p.cost_usd)::text as settled_usd, (l.estimated_usd + p.estimated_usd)::text as estimated_usd,
     (l.estimated_upper_usd + p.estimated_upper_usd)::text as estimated_upper_usd,
     (l.open_upper_usd + p.open_upper_usd)::text as open_upper_usd
   from live l, pruned p`,
);

/** Which share of the latest messages and calls has a complete origin. */
export const measureCoverage = named(
  'ledger.measure_coverage',
  `with latest_messages as (
     select team <> '' and customer <> '' and feature <> '' as is_covered from millrace.messages order by id desc limit 1000),
   latest_calls as (
     select message_id is not null or origin is not null as is_covered from millrace.calls order by id desc limit 1000),
   latest as (select * from latest_messages union all select * from latest_calls)
   select coalesce(avg(case when is_covered then 1 else 0 end), 1)::float8 as coverage from latest`,
);

/** Sums of columns, 0 of no rows. */
function sumsOf(columns: readonly string[]): string {
  return columns.map((column) => `coalesce(sum(${column}), 0) as ${column}`).join(', ');
}
