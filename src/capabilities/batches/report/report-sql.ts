import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import { named } from '../../../drivers/sql-database/sql-statement.ts';
import { inputTokenClasses, outputTokenClasses, tokenClasses } from '../../../pricing/token-classes.ts';
import { batchColumns } from '../batch-rows.ts';

/*
 * What a batch came to, from the ledger: its items, the messages that follow from them, and the calls of these. The items name their
 * messages by id, so that what others do under the same batch name is never in it, and what items of other teams cost always is. The
 * database sums; what comes back has one row for a kind of calls, a stage, a tenth of the items, however many items there are.
 */

/** Kinds of calls, stages, reasons and outliers that are told apart; totals are of all. */
const reportLimits = { calls: 500, stages: 100, reasons: 50, outliers: 20 } as const;

/**
 * The figures of one report are of one moment, and may take longer than statements of the hot path. A server has memory for what the
 * statement gathers, which would go through files otherwise; PGlite keeps what it was given once.
 */
export function beginReading(kind: SqlDatabase['kind']): string {
  const begin = `set transaction isolation level repeatable read, read only; set local statement_timeout = '300s'`;
  return kind === 'postgres' ? `${begin}; set local work_mem = '64MB'` : begin;
}

/** $1 the id, or null; $2 the name; $3 the team, or null for any. Two rows at most: a name alone may be of several teams. */
export const findBatch = named(
  'batches.find_for_report',
  `select ${batchColumns}, clock_timestamp() as as_of from millrace.batches b
   where (b.id = $1::uuid or $1::uuid is null and b.name = $2::text) and ($3::text is null or b.team = $3::text)
   order by b.id limit 2`,
);

/** $1 the batch. The one of the same team and pipeline that was made before it and is over. */
export const findPrevious = named(
  'batches.find_previous',
  `select ${batchColumns} from millrace.batches b join millrace.batches later on later.id = $1::uuid
   where b.team = later.team and b.pipeline = later.pipeline and (b.created_at, b.id) < (later.created_at, later.id)
     and b.state in ('succeeded', 'failed', 'cancelled', 'expired')
   order by b.created_at desc, b.id desc limit 1`,
);

/*
 * An admitted message has no parent: it is found by its id, what follows from it by its root. `offset 0` keeps a look-up apart from what asks
 * for it, so that it is made by its index once for each row: of what a statement has gathered the planner knows nothing.
 */
const tree = (columns: string): string => `select i.position, ${columns}
     from item i cross join lateral (select m.* from millrace.messages m where m.id = i.message_id offset 0) m
     union all
     select i.position, ${columns}
     from item i cross join lateral (select m.* from millrace.messages m where m.root_id = i.message_id and m.parent_id is not null offset 0) m`;

/** The calls `c` of the message. */
const callsOf = (message: string): string =>
  `lateral (select c.* from millrace.calls c where c.message_id = ${message} offset 0) c`;

/**
 * Items with their messages, those of earlier runs that were cancelled included: what these cost belongs to the item. Items that were left out have none;
 * one that waits can have one, of an earlier try.
 */
const items = `select i.position, i.message_id, i.state from millrace.batch_items i where i.batch_id = $1::uuid and i.state <> 'skipped'
     union all
     select e.position, e.message_id, null from millrace.batch_item_runs e where e.batch_id = $1::uuid`;

const sumOf = (columns: readonly string[]): string =>
  columns.map((column) => `coalesce(t.${column}, 0)`).join(' + ');
const inputOf = sumOf(inputTokenClasses);
const outputOf = sumOf(outputTokenClasses);
const cachedOf = `coalesce(t.cache_read, 0)`;

/** The disjoint counts of a call. */
const tokensOf = `json_to_record(coalesce(c.tokens, '{}')::json) as t(${tokenClasses.map((name) => `${name} bigint`).join(', ')})`;
/** Its costs by class, of calls that can have saved something: fields of a JSON object without its braces. Reading them takes the most time. */
const costsOf = `json_to_record((case when c.request_kind = 'batch' or c.tier <> 'default' or c.tokens like '%cache%'
       then '{' || coalesce(c.cost_detail, '') || '}' else '{}' end)::json) as d(${tokenClasses.map((name) => `cost_${name} numeric`).join(', ')})`;

/** What kinds of calls are told apart by. */
const keys = 'stage, provider, model, answered_model, tier, request_kind, price_reference, waste_reason';

const callSums = `count(*)::int as calls,
       (count(*) filter (where c.outcome <> 'ok'))::int as failed,
       (count(*) filter (where c.state = 'reserved'))::int as open,
       (count(*) filter (where c.state = 'unsettled'))::int as unsettled,
       (count(*) filter (where c.state = 'settled' and c.settlement = 'free'))::int as free,
       (count(*) filter (where c.state = 'settled' and c.settlement = 'estimated'))::int as estimated,
       (count(*) filter (where c.state = 'settled' and c.cost_usd is null))::int as unpriced,
       coalesce(sum(c.cost_usd), 0)::text as cost_usd,
       coalesce(sum(c.cost_usd) filter (where c.waste_reason <> ''), 0)::text as waste_usd,
       coalesce(sum(c.upper_bound_usd) filter (where c.cost_usd is null), 0)::text as open_upper_usd,
       min(c.reserved_at) as first_at,
       coalesce(min(${inputOf}), 0)::text as least_input, coalesce(max(${inputOf}), 0)::text as most_input,
       json_build_object(${tokenClasses.map((name) => `'${name}', coalesce(sum(t.${name}), 0)::text`).join(', ')}) as tokens,
       json_build_object(${tokenClasses.map((name) => `'${name}', coalesce(sum(d.cost_${name}), 0)::text`).join(', ')}) as costs`;

/** The calls of the batch. */
const calls = `select t.position, t.stage, c.state, c.outcome, c.settlement, c.provider, c.model, coalesce(c.answered_model, '') as answered_model, c.tier,
       c.request_kind, coalesce(c.price_reference, '') as price_reference, coalesce(c.waste_reason, '') as waste_reason, c.reserved_at,
       c.cost_usd, c.upper_bound_usd, c.tokens, c.cost_detail, c.cascade_place, c.cascade_models, c.cascade_verdict, c.cascade_usd
     from tree t cross join ${callsOf('t.id')}`;

/**
 * Each item with what its calls cost, its messages that have no parent, and the runs of the one that ran most. Nothing is joined: of what a
 * statement has gathered the planner knows nothing, and would compare every row with every other.
 */
const itemSums = `select s.position, coalesce(sum(s.cost_usd), 0) as cost_usd, sum(s.calls)::int as calls, max(s.runs) as runs, sum(s.roots)::int as roots,
       bool_or(s.is_over) as is_over
     from (
       select i.position, null::numeric as cost_usd, 0 as calls, 0 as runs, 0 as roots, i.state in ('succeeded', 'failed') as is_over from item i
       union all
       select t.position, null, 0, t.runs, case when t.is_root then 1 else 0 end, false from tree t
       union all
       select c.position, c.cost_usd, 1, 0, 0, false from call c) s
     group by s.position`;

/**
 * $1 the batch. Rows of several parts, each with its JSON. Percentiles are values that occur: the least one that so large a share does not
 * exceed. Tenths are cut as in cost reports: the most expensive one is rounded up, so that it is an item at least.
 */
export const readReport = named(
  'batches.read_report',
  `with item as materialized (
     ${items}),
   tree as materialized (
     ${tree(`m.id, m.stage, m.parent_id is null as is_root, m.sweep_at is null as has_ended, m.leased_at, m.finished_at,
       m.prior_attempts + m.attempts + m.invalid_output_attempts + case when m.state = 'completed' then 1 else 0 end as runs`)}),
   call as materialized (
     ${calls}),
   each as materialized (
     ${itemSums}),
   placed as materialized (
     select e.position, e.cost_usd, e.calls, row_number() over (order by e.cost_usd desc, e.position) as place, count(*) over () as items
     from each e where e.roots > 0)
   select 'state' as part, row_to_json(s) as body from (
     select i.state, count(*)::int as items from millrace.batch_items i where i.batch_id = $1::uuid group by i.state) s
   union all
   select 'reason', row_to_json(r) from (
     select i.state as ended_as, coalesce(i.error_code, '') as code, count(*)::int as items from millrace.batch_items i
     where i.batch_id = $1::uuid and i.state in ('failed', 'expired', 'cancelled', 'skipped')
     group by 1, 2 order by items desc, 1, 2 limit ${reportLimits.reasons}) r
   union all
   select 'work', row_to_json(k) from (
     select (count(*) filter (where e.runs > 1 or e.roots > 1))::int as retried, (count(*) filter (where e.is_over and e.roots = 0))::int as gone
     from each e) k
   union all
   select 'stage', row_to_json(g) from (
     select t.stage, count(*)::int as messages, (count(*) filter (where t.has_ended))::int as ended,
       (count(*) filter (where t.runs > 1))::int as retried,
       percentile_disc(0.5) within group (order by t.run_ms) as p50_ms, percentile_disc(0.95) within group (order by t.run_ms) as p95_ms,
       max(t.run_ms) as max_ms, min(t.leased_at) as first_at, max(t.finished_at) as last_at
     from (select r.*, case when r.has_ended then round(extract(epoch from r.finished_at - r.leased_at) * 1000)::bigint end as run_ms
           from tree r where r.stage <> '') t
     group by t.stage order by min(t.leased_at) nulls last, t.stage limit ${reportLimits.stages}) g
   union all
   select 'calls', row_to_json(g) from (
     select grouping(c.stage) = 1 as is_total, ${keys}, ${callSums}
     from call c cross join lateral ${tokensOf} cross join lateral ${costsOf}
     group by grouping sets ((${keys}), ())
     order by is_total desc, sum(c.cost_usd) desc nulls last, count(*) desc, ${keys} limit ${reportLimits.calls + 1}) g
   union all
   select 'cascade', row_to_json(g) from (
     select coalesce(c.cascade_verdict, 'none') as verdict, count(*)::int as calls, (count(*) filter (where not c.is_valued))::int as unvalued,
       coalesce(sum(c.cost_usd) filter (where c.is_valued), 0)::text as cost_usd,
       coalesce(sum(c.cascade_usd) filter (where c.is_valued), 0)::text as last_usd
     from (select a.*, a.cost_usd is not null and (a.cascade_verdict is distinct from 'accepted' or a.cascade_usd is not null) as is_valued
           from call a where a.cascade_place < a.cascade_models) c
     group by c.cascade_verdict) g
   union all
   select 'spread', row_to_json(s) from (
     select count(*)::int as items, coalesce(sum(p.cost_usd), 0)::text as cost_usd,
       percentile_disc(0.5) within group (order by p.cost_usd)::text as p50_usd,
       percentile_disc(0.95) within group (order by p.cost_usd)::text as p95_usd, max(p.cost_usd)::text as max_usd,
       coalesce(sum((p.items + 1 - 2 * p.place) * p.cost_usd), 0)::text as gini_sum
     from placed p) s
   union all
   select 'tenth', row_to_json(d) from (
     select ((p.place - 1) * 10 / p.items + 1)::int as tenth, count(*)::int as items, sum(p.cost_usd)::text as cost_usd
     from placed p group by 1) d
   union all
   select 'outlier', row_to_json(o) from (
     select p.place::int as place, p.position, i.item_id, i.message_id, i.state, p.calls, p.cost_usd::text as cost_usd
     from placed p cross join lateral (
       select b.item_id, b.message_id, b.state from millrace.batch_items b where b.batch_id = $1::uuid and b.position = p.position limit 1) i
     where p.place <= ${reportLimits.outliers} and p.place <= (p.items + 9) / 10 and p.cost_usd > 0) o`,
);

/**
 * $1 the batch, $2 the least sizes of input of the bands but the first, in ascending order. The calls of each price once more, by how large their input was: a price that is higher
 * for a long input is asked for each band by itself.
 */
export const readBands = named(
  'batches.read_report_bands',
  `with item as materialized (
     ${items}),
   tree as materialized (
     ${tree('m.id, m.stage')}),
   call as materialized (
     ${calls})
   select width_bucket(${inputOf}, $2::bigint[]) as band, ${keys}, ${callSums}
   from call c cross join lateral ${tokensOf} cross join lateral ${costsOf}
   group by band, ${keys} order by band, ${keys} limit ${reportLimits.calls * 4}`,
);

/** $1 the batch. What of another batch is compared. */
export const readTotals = named(
  'batches.read_report_totals',
  `with item as materialized (
     ${items}),
   tree as materialized (
     ${tree('m.id, m.parent_id is null as is_root')})
   select count(*)::int as calls, coalesce(sum(c.cost_usd), 0)::text as cost_usd,
     coalesce(sum(c.cost_usd) filter (where c.waste_reason is not null), 0)::text as waste_usd,
     (count(*) filter (where c.state = 'settled' and c.cost_usd is null))::int as unpriced,
     coalesce(sum(${inputOf}), 0)::text as input_tokens, coalesce(sum(${outputOf}), 0)::text as output_tokens,
     coalesce(sum(${cachedOf}), 0)::text as cached_tokens,
     (select count(*)::int from (
        select s.position from (
          select i.position, i.state in ('succeeded', 'failed') as is_over, false as is_there from item i
          union all
          select r.position, false, r.is_root from tree r) s
        group by s.position having bool_or(s.is_over) and not bool_or(s.is_there)) missing) as gone
   from tree m cross join ${callsOf('m.id')} cross join lateral ${tokensOf}`,
);
