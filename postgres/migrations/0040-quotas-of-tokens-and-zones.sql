-- Quotas count dollars or tokens, in calendar windows of a time zone or over the last so-and-so long, and by more parts of a scope.
alter table millrace.quotas rename column limit_usd to limit_amount;
alter table millrace.quotas rename constraint quotas_limit_usd_check to quotas_limit_amount_check;
alter table millrace.quotas drop constraint quotas_unit_check;
alter table millrace.quotas add constraint quotas_unit_check check (unit in ('usd', 'tokens'));
alter table millrace.quotas drop constraint quotas_window_unit_check;
alter table millrace.quotas add constraint quotas_window_unit_check check (window_unit in ('hour', 'day', 'week', 'month', 'rolling'));
alter table millrace.quotas drop constraint quotas_at_limit_check;
alter table millrace.quotas add constraint quotas_at_limit_check check (at_limit in ('park', 'refuse', 'alert', 'switch'));
alter table millrace.quotas
  add column batch text,                                    -- null: any
  add column pipeline text,
  add column model text,                                    -- "provider/model", or "provider/*"
  add column time_zone text not null default 'UTC',         -- whose calendar the windows are of
  -- Rolling windows only: the length, and the pieces that it is counted in. Their starts are the rows of quota_windows.
  add column window_length interval,
  add column slice_length interval,
  add column is_enforced boolean not null default true,     -- false: counted, and holds nothing back
  add column switch_to text,                                -- the model that is asked instead at the limit
  add column alert_at integer[] not null default '{}',      -- percents of the limit that are told of
  add column source text not null default 'configuration' constraint quotas_source_check check (source in ('configuration', 'operator')),
  -- What the configuration says where an operator has set another limit; else null.
  add column configured_amount numeric,
  add constraint quotas_rolling_check check ((window_unit = 'rolling') = (window_length is not null) and (window_length is null) = (slice_length is null));

alter table millrace.quota_windows rename column spent_usd to spent;
alter table millrace.quota_windows rename column reserved_usd to reserved;
alter table millrace.quota_windows rename column least_usd to least_asked;
alter table millrace.quota_windows rename column refused_usd to least_refused;

-- What the call counts for in its windows of tokens; null where it has none.
alter table millrace.calls add column quota_tokens numeric;

-- As before, with what each window counts.
drop function millrace.windows_of_call(json);
create function millrace.windows_of_call(quotas json) returns table (quota text, window_start timestamptz, unit text)
  language sql stable parallel safe as $$
  select coalesce(w.quota, w.budget), w.window_start, coalesce(w.unit, 'usd')
  from json_to_recordset(quotas) as w(quota text, budget text, window_start timestamptz, unit text) $$;

-- What is spent and reserved in the slices of a rolling quota from that one on. Whoever reserves holds the lock of the quota: as a volatile
-- function it sees what was committed until then, and not only what was when the statement around it began.
create function millrace.quota_used_since(of_quota text, first_slice timestamptz) returns numeric
  language plpgsql volatile as $$
begin
  return (select coalesce(sum(w.spent + w.reserved), 0) from millrace.quota_windows w
    where w.quota = of_quota and w.window_start >= first_slice);
end $$;

-- Which percents of the limits of which windows were told of: each once.
create table millrace.quota_alerts (
  quota        text not null,
  window_start timestamptz not null,
  percent      integer not null,
  reached_at   timestamptz not null default clock_timestamp(),
  spent        numeric not null,
  limit_amount numeric not null,
  primary key (quota, window_start, percent)
);
