import { named } from '../../drivers/sql-database/sql-statement.ts';
import { recordAction } from '../../engine/ledger/operator-action.ts';
import { endOfWindow, startOfWindow } from '../../engine/ledger/quota-sql.ts';

/*
 * Budgets are quotas in money: rows of `millrace.quotas`, written here. What calls reserve and spend of them is moved by the engine
 * (src/engine/ledger/quota-sql.ts).
 */

/** Taken while definitions are written, so that two hosts that start at once do so one after the other. */
export const lockBudgets = named(
  'ledger.lock_budgets',
  `select pg_advisory_xact_lock(hashtextextended('millrace.quotas', 0))`,
);

/** $1 all budgets there are to be. Those of other names hold nothing back any more. */
export const defineBudgets = named(
  'ledger.define_budgets',
  `with told as materialized (
     select * from json_to_recordset($1::json) as b(name text, team text, customer text, feature text, window_unit text,
       limit_usd numeric, at_limit text, unpriced text)),
   retired as (
     update millrace.quotas b set retired_at = clock_timestamp()
     where b.retired_at is null and not exists (select from told t where t.name = b.name))
   insert into millrace.quotas as b (name, team, customer, feature, window_unit, limit_usd, at_limit, unpriced)
   select name, team, customer, feature, window_unit, limit_usd, at_limit, unpriced from told order by name
   on conflict (name) do update
   set team = excluded.team, customer = excluded.customer, feature = excluded.feature, window_unit = excluded.window_unit,
     limit_usd = excluded.limit_usd, at_limit = excluded.at_limit, unpriced = excluded.unpriced, retired_at = null`,
);

/** $1 the audit's id, $2 the actor, $3 how many budgets, $4 what changed, $5 the reason. */
export const recordBudgetChange = named(
  'ledger.record_budget_change',
  recordAction({
    id: '$1::uuid',
    actor: '$2::text',
    action: "'budgets.apply'",
    target: "'budgets'",
    affected: '$3::int',
    detail: '$4::json',
    reason: '$5::text',
  }),
);

/** The budgets that hold, with what they say in their present window. */
export const readBudgets = named(
  'ledger.read_budgets',
  `with instant as materialized (select clock_timestamp() as at),
   present as (
     select b.*, ${startOfWindow('b.window_unit', 'i.at')} as window_start, i.at from millrace.quotas b cross join instant i
     where b.retired_at is null),
   ending as (select p.*, ${endOfWindow('p.window_unit', 'p.window_start')} as window_ends_at from present p)
   select e.name, e.team, e.customer, e.feature, e.window_unit, e.limit_usd::text as limit_usd, e.at_limit, e.unpriced,
     e.window_start, e.window_ends_at, ceil(extract(epoch from (e.window_ends_at - e.at)) * 1000)::float8 as ends_in_ms,
     coalesce(w.spent_usd, 0)::text as spent_usd, coalesce(w.reserved_usd, 0)::text as reserved_usd,
     w.least_usd::text as least_usd, w.refused_usd::text as refused_usd
   from ending e left join millrace.quota_windows w on w.quota = e.name and w.window_start = e.window_start
   order by e.name`,
);

/**
 * $1 what messages are parked for, $2 how many, $3 the name of the budget: the ones that have waited longest go on. The
 * budget forgets what did not fit: those that still do not will say so.
 */
export const releaseForBudget = named(
  'ledger.release_for_budget',
  `with freed as materialized (
     select m.id from millrace.messages m where m.parked_for = $1 order by m.available_at limit $2 for update skip locked),
   forgotten as (
     update millrace.quota_windows w set refused_usd = null
     where w.quota = $3 and w.refused_usd is not null and exists (select from freed))
   update millrace.messages m
   set parked_for = null, available_at = clock_timestamp(), sweep_at = 'infinity'
   from freed f where m.id = f.id
   returning m.id, m.stage, m.fencing_token, m.lane, m.team, m.customer, m.feature, m.batch, m.labels, m.trace_parent, m.state`,
);

/** Windows whose figures are not what their calls say, and calls that count for something else than they are worth. */
export const findBudgetFaults = named(
  'ledger.find_budget_faults',
  `with counted as (
     select b.quota, b.window_start, coalesce(sum(c.quota_usd) filter (where c.state = 'reserved'), 0) as reserved_usd,
       coalesce(sum(c.quota_usd) filter (where c.state <> 'reserved'), 0) as spent_usd
     from millrace.calls c cross join lateral millrace.windows_of_call(c.quotas) as b
     where c.quotas is not null group by b.quota, b.window_start),
   windows as (
     select coalesce(w.quota, c.quota) as quota, coalesce(w.window_start, c.window_start) as window_start,
       coalesce(w.spent_usd, 0) as spent_usd, coalesce(w.reserved_usd, 0) as reserved_usd,
       coalesce(c.spent_usd, 0) as calls_spent_usd, coalesce(c.reserved_usd, 0) as calls_reserved_usd
     from millrace.quota_windows w full join counted c on c.quota = w.quota and c.window_start = w.window_start)
   select quota as budget, window_start, 'reserved ' || reserved_usd || ', its calls ' || calls_reserved_usd as what
   from windows where reserved_usd <> calls_reserved_usd
   union all
   select quota, window_start, 'spent ' || spent_usd || ', its calls ' || calls_spent_usd
   from windows where spent_usd < calls_spent_usd
     or (spent_usd <> calls_spent_usd and window_start >= coalesce($1::timestamptz, '-infinity'))
   union all
   select b.quota, b.window_start, 'call ' || c.id || ' (' || c.state || ') counts for ' || c.quota_usd
   from millrace.calls c cross join lateral millrace.windows_of_call(c.quotas) as b
   where (c.state = 'settled' and c.cost_usd is not null and c.quota_usd <> c.cost_usd)
      or (c.state <> 'settled' and c.quota_usd <> coalesce(c.upper_bound_usd, 0))
   union all
   select w.quota, w.window_start, 'spent ' || w.spent_usd || ' and reserved ' || w.reserved_usd || ' of ' || b.limit_usd
   from millrace.quota_windows w join millrace.quotas b on b.name = w.quota
   where w.spent_usd + w.reserved_usd > b.limit_usd`,
);
