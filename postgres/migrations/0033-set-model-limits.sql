-- Limits of models that operators have set while the product runs. They stand above those of the configuration; what is null is as
-- configured.
create table millrace.set_model_limits (
  -- "provider/model", or "provider/*" for each model of the provider without limits of its own.
  model          text primary key,
  requests_limit double precision,
  tokens_limit   double precision,
  actor          text not null,
  reason         text not null,
  set_at         timestamptz not null default clock_timestamp(),
  constraint set_model_limits_some check (requests_limit is not null or tokens_limit is not null)
);
