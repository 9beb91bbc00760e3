-- Limits in money: what may be spent in each calendar window, what was, and what is promised to calls in the air.

create table millrace.budgets (
  name        text primary key,
  team        text,                        -- null: any
  customer    text,
  feature     text,
  window_unit text not null check (window_unit in ('hour', 'day', 'week', 'month')),
  limit_usd   numeric not null check (limit_usd > 0),
  at_limit    text not null check (at_limit in ('park', 'refuse')),
  unpriced    text not null check (unpriced in ('refuse', 'allow')),
  defined_at  timestamptz not null default clock_timestamp(),
  retired_at  timestamptz                  -- no longer in the configuration; it holds nothing back
);

-- One row a budget and window in which something was asked of it.
create table millrace.budget_windows (
  budget       text not null references millrace.budgets (name),
  window_start timestamptz not null,
  spent_usd    numeric not null default 0, -- what settled calls cost, and the upper bound of unsettled ones
  reserved_usd numeric not null default 0, -- the upper bounds of calls in the air
  least_usd    numeric,                    -- the smallest upper bound that was asked for
  refused_usd  numeric,                    -- the smallest that did not fit, since messages were last released
  primary key (budget, window_start),
  constraint budget_windows_amounts check (spent_usd >= 0 and reserved_usd >= 0)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

alter table millrace.calls
  -- The windows that the call counts in, as [{"budget", "window_start"}]; null for a call under no budget.
  add column budgets json,
  -- What it counts for in each of them: its upper bound, then its cost.
  add column budget_usd numeric;

-- Who waits for a budget (or a hold), the longest first.
drop index millrace.messages_parked;
create index messages_parked on millrace.messages (parked_for, available_at) where parked_for is not null;
