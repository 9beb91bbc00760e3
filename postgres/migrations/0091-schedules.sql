-- Messages that are sent again and again: a schedule says when, and what. A run of one is a row from the moment at which its time was
-- found to have come, so that it is known, whoever dies before its message is admitted; the message's id follows from schedule and time.
create table if not exists millrace.schedules (
  id             uuid primary key,
  team           text not null,
  name           text not null,              -- the team's; stands in the item of its messages
  source         text not null check (source in ('operator', 'configuration')),
  definition     text not null,              -- JSON: when, what, and the rules; with the message's data. Goes with the row
  overlap        text not null check (overlap in ('allow', 'skip')), -- the definition's
  customer       text not null,              -- the message's, for erasures
  from_at        timestamptz not null,       -- where even steps begin: the start that was asked for, or when it was made
  revision       int not null default 1,     -- rises with every change, so that a plan made of an older one changes nothing
  paused_at      timestamptz,
  paused_by      text,
  offset_ms      int not null default 0,     -- how much later than its times it runs: its part of the jitter
  next_at        timestamptz,                -- the first time that has not been planned; null while paused, and when there is none any more
  due_at         timestamptz,                -- when that is: later by the schedule's part of its jitter
  failing_since  timestamptz,                -- its last run could not be admitted, and none since
  failure_code   text,
  failure_detail text,                       -- may name parts of the data. Goes with the row
  actor          text not null,              -- who made it or changed it last
  created_at     timestamptz not null,
  changed_at     timestamptz not null,
  unique (team, name)
);
create index if not exists schedules_due on millrace.schedules (due_at, id) where due_at is not null;
create index if not exists schedules_failing on millrace.schedules (id) where failing_since is not null;

create table if not exists millrace.schedule_runs (
  schedule_id uuid not null references millrace.schedules (id) on delete cascade,
  at          timestamptz not null,          -- the time of the schedule, or at which an operator asked for it; of missed times the last
  kind        text not null check (kind in ('scheduled', 'manual')),
  state       text not null check (state in ('due', 'started', 'skipped', 'missed', 'failed')),
  message     text,                          -- while due: JSON of what is to be admitted, as the schedule was when it was planned
  try_at      timestamptz,                   -- while due: when it is tried
  planned_at  timestamptz not null,
  message_ids uuid[],                        -- of one that started
  ended_at    timestamptz,                   -- when it was no longer due
  first_at    timestamptz,                   -- of missed times: the first
  times       int not null default 1,        -- of missed times: how many
  is_at_least boolean not null default false, -- there were more, which nobody counted
  error_code  text,
  detail      text,                          -- why it failed. Goes with the row
  primary key (schedule_id, at, kind),
  check ((state = 'due') = (message is not null)),
  check ((state = 'due') = (try_at is not null))
);
create index if not exists schedule_runs_due on millrace.schedule_runs (try_at, schedule_id, at) where state = 'due';
create index if not exists schedule_runs_ended on millrace.schedule_runs (ended_at) where ended_at is not null;
