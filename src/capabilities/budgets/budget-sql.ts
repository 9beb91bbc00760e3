import { named } from '../../drivers/sql-database/sql-statement.ts';
import { recordAction } from '../../engine/ledger/operator-action.ts';
import { endOfWindow, startOfWindow } from '../../engine/ledger/quota-sql.ts';

/*
 * Budgets are quotas: rows of `millrace.quotas`, written here. What calls reserve and spend of them is moved by the engine
 * (src/engine/ledger/quota-sql.ts).
 */

/** Taken while definitions are written, so that two hosts that start at once do so one after the other. */
export const lockBudgets = named(
  'ledger.lock_budgets',
  `select pg_advisory_xact_lock(hashtextextended('millrace.quotas', 0))`,
);

/** What a definition is told as, for json_to_recordset. */
const toldDefinitions = `name text, unit text, team text, customer text, feature text, batch text, pipeline text, model text, window_unit text,
       window_hours int, slice_seconds int, time_zone text, limit_amount numeric, at_limit text, switch_to text, unpriced text, alert_at json`;

/** The columns that a definition writes beside its name and its limit, with their values from `t`. */
const definedColumns = {
  unit: 't.unit',
  team: 't.team',
  customer: 't.customer',
  feature: 't.feature',
  batch: 't.batch',
  pipeline: 't.pipeline',
  model: 't.model',
  window_unit: 't.window_unit',
  window_length: 'make_interval(hours => t.window_hours)',
  slice_length: 'make_interval(secs => t.slice_seconds)',
  time_zone: 't.time_zone',
  at_limit: 't.at_limit',
  is_enforced: `t.at_limit <> 'alert'`,
  switch_to: 't.switch_to',
  unpriced: 't.unpriced',
  alert_at: 'array(select p.value::int from json_array_elements_text(t.alert_at) as p)',
} as const;
const columns = Object.keys(definedColumns);
const insertedColumns = columns.join(', ');
const insertedValues = Object.values(definedColumns).join(', ');
const replaced = columns.map((column) => `${column} = excluded.${column}`).join(', ');

/**
 * $1 all budgets that the configuration is to have. Its others hold nothing back any more; those of operators stay. A limit that an
 * operator has set stays in force.
 */
export const defineBudgets = named(
  'ledger.define_budgets',
  `with told as materialized (select * from json_to_recordset($1::json) as t(${toldDefinitions})),
   retired as (
     update millrace.quotas b set retired_at = clock_timestamp(), configured_amount = null
     where b.retired_at is null and b.source = 'configuration' and not exists (select from told t where t.name = b.name))
   insert into millrace.quotas as b (name, source, limit_amount, ${insertedColumns})
   select t.name, 'configuration', t.limit_amount, ${insertedValues} from told t order by t.name
   on conflict (name) do update
   set ${replaced}, source = 'configuration', retired_at = null,
     limit_amount = case when b.configured_amount is null then excluded.limit_amount else b.limit_amount end,
     configured_amount = case when b.configured_amount is null then null else excluded.limit_amount end`,
);

/** $1 a list with one budget, which becomes an operator's. */
export const setBudget = named(
  'ledger.set_budget',
  `insert into millrace.quotas as b (name, source, limit_amount, ${insertedColumns})
   select t.name, 'operator', t.limit_amount, ${insertedValues} from json_to_recordset($1::json) as t(${toldDefinitions})
   on conflict (name) do update
   set ${replaced}, source = 'operator', retired_at = null, limit_amount = excluded.limit_amount, configured_amount = null`,
);

/** $1 name, $2 the limit that holds from now on, above what the configuration says. */
export const setBudgetLimit = named(
  'ledger.set_budget_limit',
  `update millrace.quotas
   set configured_amount = case when source = 'configuration' then coalesce(configured_amount, limit_amount) end, limit_amount = $2::numeric
   where name = $1 and retired_at is null`,
);

/** $1 name: the configured limit holds again. */
export const resetBudgetLimit = named(
  'ledger.reset_budget_limit',
  `update millrace.quotas set limit_amount = configured_amount, configured_amount = null
   where name = $1 and retired_at is null and configured_amount is not null`,
);

/** $1 name: it holds nothing back any more. */
export const retireBudget = named(
  'ledger.retire_budget',
  `update millrace.quotas set retired_at = clock_timestamp(), configured_amount = null where name = $1 and retired_at is null`,
);

/** $1 names: what those of them count that there are, retired ones too. */
export const unitsOfBudgets = named(
  'ledger.units_of_budgets',
  `select name, unit from millrace.quotas where name = any($1::text[]) order by name`,
);

/** $1 names of time zones. Fails where the database does not know one: no call could be reserved. */
export const checkTimeZones = named(
  'ledger.check_time_zones',
  `select max(date_trunc('day', clock_timestamp(), z.name)) from unnest($1::text[]) as z(name)`,
);

/** $1 the audit's id, $2 the actor, $3 the action, $4 its target, $5 how many budgets, $6 what changed, $7 the reason. */
export const recordBudgetChange = named(
  'ledger.record_budget_change',
  recordAction({
    id: '$1::uuid',
    actor: '$2::text',
    action: '$3::text',
    target: '$4::text',
    affected: '$5::int',
    detail: '$6::json',
    reason: '$7::text',
  }),
);

/** $1 name, $2 how many: what was done to the budget, the latest first. */
export const listBudgetChanges = named(
  'ledger.list_budget_changes',
  `select a.id, a.at, a.actor, a.action, a.reason, c.value as change
   from millrace.operator_actions a cross join lateral json_array_elements(a.detail -> 'changes') as c
   where a.action like 'budgets.%' and c.value ->> 'budget' = $1::text
   order by a.at desc, a.id desc limit $2`,
);

/** The budgets that hold, with what they say in their present window: of a rolling one, in all slices that count. */
export const readBudgets = named(
  'ledger.read_budgets',
  `with instant as materialized (select clock_timestamp() as at),
   present as (
     select b.*, ${startOfWindow('b', 'i.at')} as latest_start, i.at from millrace.quotas b cross join instant i
     where b.retired_at is null),
   counted as (
     select p.*, p.latest_start - coalesce(p.window_length, interval '0') as window_start,
       ${endOfWindow('p', 'p.latest_start')} as latest_end from present p),
   said as (
     select c.*, w.spent, w.reserved, w.least_asked, w.least_refused,
       case when c.window_length is null then c.latest_end
         else coalesce(w.oldest, c.latest_start) + c.window_length + c.slice_length end as window_ends_at
     from counted c cross join lateral (
       select sum(q.spent) as spent, sum(q.reserved) as reserved, min(q.least_asked) as least_asked, min(q.least_refused) as least_refused,
         min(q.window_start) filter (where q.spent > 0) as oldest
       from millrace.quota_windows q
       where q.quota = c.name and q.window_start >= c.window_start and q.window_start <= c.latest_start) w)
   select e.name, e.unit, e.team, e.customer, e.feature, e.batch, e.pipeline, e.model, e.window_unit, e.time_zone,
     (extract(epoch from e.window_length) / 3600)::int as window_hours, e.limit_amount::text as limit_amount,
     e.configured_amount::text as configured_amount, e.source, e.at_limit, e.switch_to, e.unpriced, array_to_json(e.alert_at)::text as alert_at,
     e.window_start, e.latest_start, e.window_ends_at, ceil(extract(epoch from (e.window_ends_at - e.at)) * 1000)::float8 as ends_in_ms,
     coalesce(e.spent, 0)::text as spent, coalesce(e.reserved, 0)::text as reserved,
     e.least_asked::text as least_asked, e.least_refused::text as least_refused
   from said e order by e.name`,
);

/**
 * $1 what messages are parked for, $2 how many, $3 the name of the budget: the ones that have waited longest go on. The
 * budget forgets what did not fit: those that still do not will say so.
 */
export const releaseForBudget = named(
  'ledger.release_for_budget',
  `with freed as materialized (
     select m.id from millrace.messages m where m.parked_for = $1 order by m.available_at limit $2 for update skip locked),
   full_ones as materialized (
     select w.quota, w.window_start from millrace.quota_windows w
     where w.quota = $3 and w.least_refused is not null and exists (select from freed)
     order by w.quota, w.window_start for update of w),
   forgotten as (
     update millrace.quota_windows w set least_refused = null
     from full_ones f where w.quota = f.quota and w.window_start = f.window_start)
   update millrace.messages m
   set parked_for = null, available_at = clock_timestamp(), sweep_at = 'infinity'
   from freed f where m.id = f.id
   returning m.id, m.stage, m.fencing_token, m.lane, m.team, m.customer, m.feature, m.batch, m.labels, m.trace_parent, m.state`,
);

/**
 * $1 shares that are reached, as {quota, window_start, percent, spent, limit_amount}: writes those that were not told of in this window
 * yet, or, of a rolling one, not within its length; answers them.
 */
export const recordBudgetAlerts = named(
  'ledger.record_budget_alerts',
  `insert into millrace.quota_alerts as a (quota, window_start, percent, spent, limit_amount)
   select t.quota, t.window_start, t.percent, t.spent, t.limit_amount
   from json_to_recordset($1::json) as t(quota text, window_start timestamptz, percent int, spent numeric, limit_amount numeric)
   join millrace.quotas q on q.name = t.quota
   where not exists (
     select from millrace.quota_alerts o where o.quota = t.quota and o.percent = t.percent
       and o.window_start > t.window_start - q.window_length and o.window_start <= t.window_start)
   order by t.quota, t.window_start, t.percent
   on conflict do nothing
   returning a.quota, a.percent`,
);

/** Windows whose figures are not what their calls say, and calls that count for something else than they are worth. */
export const findBudgetFaults = named(
  'ledger.find_budget_faults',
  `with shares as (
     select c.id, c.state, c.tokens, c.cost_usd, c.upper_bound_usd, b.quota, b.window_start, b.unit,
       case b.unit when 'tokens' then c.quota_tokens else c.quota_usd end as counts_for
     from millrace.calls c cross join lateral millrace.windows_of_call(c.quotas) as b where c.quotas is not null),
   counted as (
     select s.quota, s.window_start, coalesce(sum(s.counts_for) filter (where s.state = 'reserved'), 0) as reserved,
       coalesce(sum(s.counts_for) filter (where s.state <> 'reserved'), 0) as spent
     from shares s group by s.quota, s.window_start),
   windows as (
     select coalesce(w.quota, c.quota) as quota, coalesce(w.window_start, c.window_start) as window_start,
       coalesce(w.spent, 0) as spent, coalesce(w.reserved, 0) as reserved,
       coalesce(c.spent, 0) as calls_spent, coalesce(c.reserved, 0) as calls_reserved
     from millrace.quota_windows w full join counted c on c.quota = w.quota and c.window_start = w.window_start)
   select quota as budget, window_start, 'reserved ' || reserved || ', its calls ' || calls_reserved as what
   from windows where reserved <> calls_reserved
   union all
   select quota, window_start, 'spent ' || spent || ', its calls ' || calls_spent
   from windows where spent < calls_spent
     or (spent <> calls_spent and window_start >= coalesce($1::timestamptz, '-infinity'))
   union all
   select s.quota, s.window_start, 'call ' || s.id || ' (' || s.state || ') counts for ' || coalesce(s.counts_for::text, 'nothing')
   from shares s join millrace.quotas q on q.name = s.quota
   where q.unit <> s.unit or s.counts_for is null
      or (s.unit = 'usd' and s.state = 'settled' and s.cost_usd is not null and s.counts_for <> s.cost_usd)
      or (s.unit = 'usd' and s.state <> 'settled' and s.counts_for <> coalesce(s.upper_bound_usd, 0))
      or (s.unit = 'tokens' and s.state = 'settled'
        and s.counts_for <> (select coalesce(sum(t.value::numeric), 0) from json_each_text(s.tokens::json) as t))
   union all
   select u.quota, u.window_start, 'spent ' || u.spent || ' and reserved ' || u.reserved || ' of ' || u.limit_amount
   from (
     select w.quota, w.window_start, q.limit_amount, sum(o.spent) as spent, sum(o.reserved) as reserved
     from millrace.quota_windows w join millrace.quotas q on q.name = w.quota and q.is_enforced
     join millrace.quota_windows o on o.quota = w.quota
       and o.window_start between w.window_start - coalesce(q.window_length, interval '0') and w.window_start
     group by w.quota, w.window_start, q.limit_amount) u
   where u.spent + u.reserved > u.limit_amount`,
);
