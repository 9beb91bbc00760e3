-- How each model is doing, for all processes together: its circuit, and what was counted lately.

create table millrace.model_health (
  provider        text not null,
  model           text not null,
  state           text not null check (state in ('closed', 'open', 'half_open')),
  opens           int not null,            -- in a row
  probes_out      int not null,
  probe_successes int not null,
  version         bigint not null,         -- rises with every change
  opened_at       timestamptz,
  open_until      timestamptz,
  probed_at       timestamptz,             -- when the latest probe was taken
  reason          text not null,           -- of the latest change of state, with its figures
  changed_at      timestamptz not null,
  primary key (provider, model)
);

-- Counts of ten seconds each. A window that has passed is of no use and soon deleted.
create table millrace.model_windows (
  provider     text not null,
  model        text not null,
  window_start timestamptz not null,
  firsts       int not null,               -- first attempts that were sent
  retries      int not null,               -- retries that were permitted
  successes    int not null,
  failures     int not null,               -- that speak of the provider, time-outs apart
  timeouts     int not null,
  primary key (provider, model, window_start)
);

alter table millrace.calls
  -- The model that was asked for ("provider/model") when another one answered for it; null otherwise.
  add column fallback_from text;
