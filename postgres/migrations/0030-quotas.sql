-- The engine knows quotas: an amount for a scope and a window, reserved and settled with the calls that it concerns. A budget is a quota
-- in money.
alter table millrace.budgets rename to quotas;
alter table millrace.quotas rename constraint budgets_pkey to quotas_pkey;
alter table millrace.quotas rename constraint budgets_window_unit_check to quotas_window_unit_check;
alter table millrace.quotas rename constraint budgets_limit_usd_check to quotas_limit_usd_check;
alter table millrace.quotas rename constraint budgets_at_limit_check to quotas_at_limit_check;
alter table millrace.quotas rename constraint budgets_unpriced_check to quotas_unpriced_check;
-- What it counts.
alter table millrace.quotas add column unit text not null default 'usd' constraint quotas_unit_check check (unit in ('usd'));

alter table millrace.budget_windows rename to quota_windows;
alter table millrace.quota_windows rename column budget to quota;
alter table millrace.quota_windows rename constraint budget_windows_pkey to quota_windows_pkey;
alter table millrace.quota_windows rename constraint budget_windows_budget_fkey to quota_windows_quota_fkey;
alter table millrace.quota_windows rename constraint budget_windows_amounts to quota_windows_amounts;

-- The windows that the call counts in, as [{"quota", "window_start"}], and what it counts for in each of them.
alter table millrace.calls rename column budgets to quotas;
alter table millrace.calls rename column budget_usd to quota_usd;

-- Those windows as rows. Calls that were reserved before this migration name the quota "budget": they are read as they are, since to write
-- them anew would take as long as there are calls.
create function millrace.windows_of_call(quotas json) returns table (quota text, window_start timestamptz)
  language sql stable parallel safe as $$
  select coalesce(w.quota, w.budget), w.window_start
  from json_to_recordset(quotas) as w(quota text, budget text, window_start timestamptz) $$;
