-- Messages that wait for an outside event, or for a person's approval: whoever has the token gives them their data.

create table millrace.event_waits (
  id            uuid primary key,          -- that of the message that waits
  note          text,                      -- what is waited for, in words of the stage
  expires_at    timestamptz not null,
  default_body  text,                      -- the data that it goes on with when the time is over; without any it is given up
  default_ref   text,                      -- the same in the payload store
  default_bytes int,
  created_at    timestamptz not null default clock_timestamp(),
  ended_at      timestamptz,
  ended_by      text check (ended_by in ('completed', 'expired')),
  actor         text,                      -- who completed it
  check ((ended_at is null) = (ended_by is null))
);
create index event_waits_default_ref on millrace.event_waits (default_ref) where default_ref is not null;

-- Tokens are given out while the handler runs, before its message is there. Each attempt has one of its own, and any of them is good for the wait.
create table millrace.event_wait_tokens (
  token_hash text primary key,             -- SHA-256, in hexadecimal; the token itself is kept nowhere
  wait_id    uuid not null,
  created_at timestamptz not null default clock_timestamp()
);
create index event_wait_tokens_wait on millrace.event_wait_tokens (wait_id);
create index event_wait_tokens_created on millrace.event_wait_tokens (created_at, token_hash);

alter table millrace.messages
  -- The time in which it could be completed is over, and nothing was said about what then; null: it is not.
  add column is_expired boolean;

-- Those that wait, of each team; ids begin with the time.
create index messages_await_event on millrace.messages (team, id) where parked_for = 'event';
