-- A message may be admitted or emitted for a later time. Until then it is set aside (parked for 'start'), and nothing that looks at what
-- is ready sees it. Kept when it has started: it says what was asked for.
alter table millrace.messages add column start_at timestamptz;

create index messages_start on millrace.messages (start_at, id) where parked_for = 'start';

-- What is to start later is no backlog: it is counted apart. Until now nothing is parked for 'start', so that no count changes.
create or replace function millrace.message_kind(state text, parked_for text, discarded_at timestamptz) returns text
  language sql immutable as $$
  select case state
    when 'pending' then case when parked_for is null then 'waiting' when parked_for = 'start' then 'scheduled' else 'parked' end
    when 'dead_lettered' then case when discarded_at is null then 'dead' else 'discarded' end else state end $$;
