-- What operators do, and what they do to dead letters.

-- One row an operation, for ever: who did what to what, and why.
create table millrace.operator_actions (
  id       uuid primary key,
  at       timestamptz not null,
  actor    text not null,
  action   text not null,                  -- "dead_letters.replay", "dead_letters.discard", …
  target   text not null,                  -- what it was done to, in words
  affected integer not null default 1,     -- how many of these
  detail   json not null,                  -- how it was asked for
  reason   text not null
);

create index operator_actions_at on millrace.operator_actions (at);

-- A replay opens the end of a message again; a discard lets it lie for good.
alter table millrace.messages
  add column discarded_at   timestamptz,
  add column discarded_by   text,
  add column prior_attempts integer not null default 0, -- failed attempts of the lives that replays ended
  add constraint messages_discarded check (discarded_at is null or state = 'dead_lettered') not valid;

-- One row a dead letter and operation: the death that the operation found, which the message's row may forget.
create table millrace.dead_letter_actions (
  message_id uuid not null,
  action_id  uuid not null,                -- in operator_actions
  died_at    timestamptz not null,
  fence      integer not null,             -- the last fence of that life
  error_code text not null,
  attempts   integer not null,             -- failed attempts of that life
  primary key (message_id, action_id)
);

create index messages_dead_at on millrace.messages (finished_at, id) where state = 'dead_lettered';
