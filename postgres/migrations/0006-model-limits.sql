-- What may be asked of a model each minute, shared by all processes: one row a provider and model, two token buckets.
create table millrace.model_limits (
  provider          text not null,
  model             text not null,
  -- Per minute, as configured; null when there is no limit of this kind.
  requests_limit    double precision,
  tokens_limit      double precision,
  -- Per minute, as the provider said last; it counts where it is the lower one.
  requests_reported double precision,
  tokens_reported   double precision,
  -- At `updated_at`. Below 0 when requests that wait for their time have taken ahead.
  requests_level    double precision not null default 0,
  tokens_level      double precision not null default 0,
  -- All that was ever taken, by estimate until it is settled: it tells what was taken after a given request.
  requests_taken    double precision not null default 0,
  tokens_taken      double precision not null default 0,
  -- The provider refused and named a time.
  blocked_until     timestamptz,
  updated_at        timestamptz not null default clock_timestamp(),
  primary key (provider, model)
) with (fillfactor = 20);
