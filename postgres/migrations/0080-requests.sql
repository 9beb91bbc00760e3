-- Requests: one client's wish to have a pipeline run, accepted at once and answered later. The row is written before the message with which the
-- request begins, and both have the same id; what has followed from that message is the request's work. A request without a message
-- was never accepted, and goes after some minutes.
create table millrace.requests (
  id              uuid primary key,          -- of its root message too; carries its time
  team            text not null,             -- with customer, feature and labels, the origin
  customer        text not null,
  feature         text not null,
  labels          text,                      -- canonical JSON
  pipeline        text not null,
  type            text not null,             -- of its root message
  version         int not null,
  actor           text not null,             -- who asked, as the audit names keys and people
  on_disconnect   text not null default 'continue' check (on_disconnect in ('continue', 'cancel')), -- what happens when its last listener has left
  disconnect_grace_ms int not null default 0, -- for how long after that another one may come
  webhook         text,                      -- whom to tell of its end
  state           text not null default 'queued' check (state in ('queued', 'completed', 'failed', 'cancelled')), -- queued: it has not ended
  created_at      timestamptz not null default clock_timestamp(),
  cancel_asked_at timestamptz,               -- its messages are being cancelled, or were
  ended_at        timestamptz,
  error_code      text,                      -- why it failed or was cancelled
  error_message   text,
  error_stage     text,
  result          text,                      -- JSON; null where it lies in the payload store, or there is none
  result_ref      text,
  outputs         int,                       -- what the pipeline said at its end: with 1 the result is that, otherwise a list of all
  -- What its calls had cost when it ended.
  calls           int,
  cost_usd        numeric,                   -- of those that are settled and have a price
  unpriced        int,
  unsettled       int,                       -- calls of unknown outcome …
  unsettled_usd   numeric,                   -- … and what these can have cost at most
  check (ended_at is null = (state = 'queued'))
);

create index requests_open on millrace.requests (id) where ended_at is null;
create index requests_listed on millrace.requests (team, id);
create index requests_cancelling on millrace.requests (cancel_asked_at, id) where cancel_asked_at is not null and ended_at is null;
create index requests_ended on millrace.requests (ended_at, id) where ended_at is not null;
-- What requests like one cost of late.
create index requests_recent on millrace.requests (team, pipeline, ended_at) where state = 'completed';

-- Idempotency keys of requests. A key whose time is over may be taken again.
create table millrace.request_keys (
  team        text not null,
  key         text not null,                 -- as the client sent it
  request_id  uuid not null,
  fingerprint text not null,                 -- SHA-256 of what was asked, as canonical JSON
  expires_at  timestamptz not null,
  primary key (team, key)
);

create index request_keys_request on millrace.request_keys (request_id);
create index request_keys_expired on millrace.request_keys (expires_at);

-- Payloads that something beside messages and calls names: they stay in the payload store as long as they stand here.
create table millrace.held_payloads (
  holder    uuid not null,                   -- a request
  reference text not null,
  primary key (holder, reference)
);

create index held_payloads_reference on millrace.held_payloads (reference);
