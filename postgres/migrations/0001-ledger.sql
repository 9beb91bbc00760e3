-- The ledger: the truth about messages and calls. The queue only wakes, the column store only reports.
create schema if not exists millrace;

-- One row a message, from admission to its end: outbox, inbox and idempotency record in one.
create table millrace.messages (
  id            uuid primary key,          -- time-ordered; derived from its cause, so that a repeat is the same row
  root_id       uuid not null,             -- the admitted message that all of this follows from
  parent_id     uuid,
  source        text not null,
  event_id      text not null,             -- CloudEvents id as the sender gave it
  type          text not null,
  version       integer not null,
  pipeline      text not null,
  stage         text not null,             -- the consuming stage; '' for a pipeline's output
  owner         text not null,
  lane          text not null,
  team          text not null,
  customer      text not null,
  feature       text not null,
  batch         text,
  labels        text,                      -- canonical JSON
  item          text not null,
  trace_parent  text not null,
  body          text,                      -- JSON text; null when it lies in the payload store
  body_ref      text,
  body_bytes    integer not null,
  state         text not null check (state in ('pending', 'leased', 'completed', 'dead_lettered', 'cancelled')),
  fence         integer not null default 0,
  deliveries    integer not null default 0,
  attempts      integer not null default 0, -- attempts that failed and counted
  lease_owner   text,
  lease_until   timestamptz,
  leased_at     timestamptz,
  available_at  timestamptz not null,
  wake_at       timestamptz,               -- when the sweeper must look; null once the message has ended
  created_at    timestamptz not null,
  admitted_at   timestamptz not null,      -- of the root
  finished_at   timestamptz,
  result        text,
  error_code    text,
  check ((body is null) <> (body_ref is null)),
  check ((state in ('pending', 'leased')) = (wake_at is not null)),
  check ((state in ('pending', 'leased')) = (finished_at is null))
) with (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

create index messages_wake on millrace.messages (wake_at) where wake_at is not null;
create index messages_root on millrace.messages (root_id) where parent_id is not null;
create index messages_dead on millrace.messages (stage, finished_at) where state = 'dead_lettered';

-- Why an attempt failed; one row each, kept with the message.
create table millrace.failures (
  message_id    uuid not null,
  fence         integer not null,
  at            timestamptz not null,
  code          text not null,
  retryable     boolean not null,
  detail        text not null,             -- JSON: message, faults, cause chain; never payloads
  primary key (message_id, fence)
);

-- One row a call: one request that a provider may bill.
create table millrace.calls (
  id                  uuid primary key,    -- derived from message, step, ordinal and attempt
  message_id          uuid,                -- null for calls outside a stage
  fence               integer,
  origin              text,                -- JSON, for calls outside a stage
  step                text not null,
  ordinal             integer not null,    -- the n-th request of this step in one run of the handler
  attempt             integer not null,
  state               text not null check (state in ('reserved', 'settled', 'unsettled')),
  provider            text not null,
  model               text not null,
  operation           text not null,
  tier                text not null,
  request_kind        text not null,
  request_digest      text not null,
  reserved_at         timestamptz not null,
  upper_bound_usd     numeric,             -- null when no price is known
  settled_at          timestamptz,
  outcome             text,
  settlement          text,
  error_type          text,
  answered_model      text,
  provider_request_id text,
  tokens              text,                -- JSON: disjoint counts by class
  raw_usage           text,                -- as the provider reported it
  cost_usd            numeric,             -- null: not settled, or unpriced
  price_reference     text,
  price_catalogue     text,
  waste_reason        text,
  duration_ms         integer,
  first_chunk_ms      integer,
  answer              text,                -- the recorded answer, JSON
  answer_ref          text,
  check (state <> 'settled' or (settled_at is not null and outcome is not null and settlement is not null))
) with (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

create index calls_message on millrace.calls (message_id);
create index calls_unsettled on millrace.calls (settled_at) where state = 'unsettled';
create index calls_open on millrace.calls (reserved_at) where state = 'reserved';

-- Rendered rows for the column store, until it has them.
create table millrace.outbox (
  seq         bigint generated always as identity,
  target      text not null,
  line        text not null,               -- one JSON object
  created_at  timestamptz not null default clock_timestamp(),
  primary key (target, seq)
) with (autovacuum_vacuum_scale_factor = 0.02);

-- A batch names its rows one by one and never changes; the rows leave the outbox when the column store has them.
create table millrace.export_batches (
  id          uuid primary key,
  target      text not null,
  rows        integer not null,
  seqs        bigint[],
  bound_at    timestamptz not null default clock_timestamp(),
  oldest_at   timestamptz not null,
  exported_at timestamptz,
  tries       integer not null default 0,
  last_error  text,
  check ((seqs is null) = (exported_at is not null))
);

create index export_batches_open on millrace.export_batches (bound_at) where exported_at is null;

-- What was pruned still counts: the ledger's total outlives its rows.
create table millrace.pruned_totals (
  day       date not null,
  team      text not null,
  calls     bigint not null,
  cost_usd  numeric not null,
  primary key (day, team)
);

-- A role that one process at a time may hold (the exporter, the sweeper).
create table millrace.role_leases (
  role   text primary key,
  holder text not null,
  until  timestamptz not null
);

create table millrace.api_keys (
  id         uuid primary key,
  name       text not null,
  key_hash   text not null unique,         -- SHA-256 of the key; the key itself is shown once
  scopes     text[] not null,
  team       text,                         -- when set, the key sees this team only
  created_at timestamptz not null default clock_timestamp(),
  revoked_at timestamptz
);
