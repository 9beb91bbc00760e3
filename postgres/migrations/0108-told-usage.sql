-- What names a call that happened elsewhere: the event that told of it, and the provider's id of its answer. Each names one call of a team, so that what is
-- told again, by whatever event, is counted once.
create table if not exists millrace.told_usage_keys (
  team    text not null,
  key     text not null,
  call_id uuid not null,
  told_at timestamptz not null default clock_timestamp(),
  primary key (team, key)
);

create index if not exists told_usage_keys_age on millrace.told_usage_keys (told_at);
-- For the erasure of calls.
create index if not exists told_usage_keys_call on millrace.told_usage_keys (call_id);
