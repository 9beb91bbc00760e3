-- How many messages wait, are worked on, are set aside or have ended, by stage and lane, and how many calls are unsettled. Every
-- statement adds the differences that it makes, in its own transaction; the relay sums them up. Nobody counts the rows themselves.
create table millrace.ledger_counts (
  owner text not null,
  stage text not null,
  lane  text not null,
  kind  text not null,                     -- of messages: see message_kind; or 'unsettled', of calls
  due   timestamptz not null,              -- see message_due; what lies long back is kept by minutes, hours and days
  count bigint not null,
  primary key (kind, stage, lane, owner, due)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Differences that are not summed up yet.
create table millrace.ledger_count_changes (
  owner  text not null,
  stage  text not null,
  lane   text not null,
  kind   text not null,
  due    timestamptz not null,
  change bigint not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

create function millrace.message_kind(state text, parked_for text, discarded_at timestamptz) returns text
  language sql immutable as $$
  select case state when 'pending' then case when parked_for is null then 'waiting' else 'parked' end
    when 'dead_lettered' then case when discarded_at is null then 'dead' else 'discarded' end else state end $$;

-- To the second: since when a pending message is due, since when a dead letter lies there; '-infinity' for others.
create function millrace.message_due(state text, discarded_at timestamptz, available_at timestamptz, finished_at timestamptz)
  returns timestamptz language sql stable as $$
  select case when state = 'pending' then date_trunc('second', available_at)
    when state = 'dead_lettered' and discarded_at is null then date_trunc('second', finished_at)
    else timestamptz '-infinity' end $$;

create function millrace.count_added_messages() returns trigger language plpgsql
  set plan_cache_mode = force_generic_plan set jit = off as $$
  begin
    insert into millrace.ledger_count_changes (owner, stage, lane, kind, due, change)
    select owner, stage, lane, kind, due, count(*) from (
      select owner, stage, lane, millrace.message_kind(state, parked_for, discarded_at) as kind,
        millrace.message_due(state, discarded_at, available_at, finished_at) as due
      from added) c
    group by owner, stage, lane, kind, due;
    return null;
  end $$;

create function millrace.count_changed_messages() returns trigger language plpgsql
  set plan_cache_mode = force_generic_plan set jit = off as $$
  begin
    insert into millrace.ledger_count_changes (owner, stage, lane, kind, due, change)
    select owner, stage, lane, kind, due, sum(change) from (
      select owner, stage, lane, millrace.message_kind(state, parked_for, discarded_at) as kind,
        millrace.message_due(state, discarded_at, available_at, finished_at) as due, 1 as change
      from added
      union all
      select owner, stage, lane, millrace.message_kind(state, parked_for, discarded_at) as kind,
        millrace.message_due(state, discarded_at, available_at, finished_at) as due, -1
      from removed) c
    group by owner, stage, lane, kind, due having sum(change) <> 0;
    return null;
  end $$;

create function millrace.count_removed_messages() returns trigger language plpgsql
  set plan_cache_mode = force_generic_plan set jit = off as $$
  begin
    insert into millrace.ledger_count_changes (owner, stage, lane, kind, due, change)
    select owner, stage, lane, kind, due, -count(*) from (
      select owner, stage, lane, millrace.message_kind(state, parked_for, discarded_at) as kind,
        millrace.message_due(state, discarded_at, available_at, finished_at) as due
      from removed) c
    group by owner, stage, lane, kind, due;
    return null;
  end $$;

create function millrace.count_unsettled_call() returns trigger language plpgsql as $$
  begin
    insert into millrace.ledger_count_changes (owner, stage, lane, kind, due, change)
    values ('', '', '', 'unsettled', date_trunc('second', old.reserved_at), case when tg_op = 'UPDATE' and new.state = 'unsettled' then 1 else -1 end);
    return null;
  end $$;

create function millrace.forget_counts() returns trigger language plpgsql as $$
  begin
    delete from millrace.ledger_counts where (kind = 'unsettled') = (tg_table_name = 'calls');
    delete from millrace.ledger_count_changes where (kind = 'unsettled') = (tg_table_name = 'calls');
    return null;
  end $$;

-- Nobody writes between the count and the triggers.
lock table millrace.messages, millrace.calls in share row exclusive mode;

create trigger messages_added after insert on millrace.messages
  referencing new table as added for each statement execute function millrace.count_added_messages();
create trigger messages_changed after update on millrace.messages
  referencing old table as removed new table as added for each statement execute function millrace.count_changed_messages();
create trigger messages_removed after delete on millrace.messages
  referencing old table as removed for each statement execute function millrace.count_removed_messages();
-- Calls are born reserved, so that none is inserted unsettled.
create trigger calls_unsettled_changed after update on millrace.calls
  for each row when ((old.state = 'unsettled') <> (new.state = 'unsettled')) execute function millrace.count_unsettled_call();
create trigger calls_unsettled_removed after delete on millrace.calls
  for each row when (old.state = 'unsettled') execute function millrace.count_unsettled_call();
create trigger messages_truncated after truncate on millrace.messages
  for each statement execute function millrace.forget_counts();
create trigger calls_truncated after truncate on millrace.calls
  for each statement execute function millrace.forget_counts();

insert into millrace.ledger_counts (owner, stage, lane, kind, due, count)
select owner, stage, lane, kind, due, count(*) from (
  select owner, stage, lane, millrace.message_kind(state, parked_for, discarded_at) as kind,
    millrace.message_due(state, discarded_at, available_at, finished_at) as due
  from millrace.messages) c
group by owner, stage, lane, kind, due;
insert into millrace.ledger_counts (owner, stage, lane, kind, due, count)
select '', '', '', 'unsettled', date_trunc('second', reserved_at), count(*) from millrace.calls where state = 'unsettled' group by 5;

-- The sweeper looks at leases and at what was set aside. What only waits to be taken is found by its stage (list_waiting_stages):
-- it needs no entry here.
drop index millrace.messages_wake;
create index messages_wake on millrace.messages (wake_at) where wake_at < 'infinity';

-- Retention asks for batches, and for calls without a message, by their age.
create index export_batches_exported on millrace.export_batches (exported_at) where exported_at is not null;
create index calls_outside on millrace.calls (reserved_at, id) where message_id is null;
