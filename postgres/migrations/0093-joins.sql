-- Joins: messages that wait until the branches that one parent emitted have ended, or enough of them.

create table millrace.joins (
  id          uuid primary key,            -- that of the first message that waits for it
  total       int not null,                -- branches
  quorum      int,                         -- how many have to succeed; null: all have to end
  ended       int not null,                -- branches that have ended, however they did
  succeeded   int not null,                -- of them those that succeeded
  created_at  timestamptz not null default clock_timestamp(),
  released_at timestamptz,                 -- null while its messages wait; from then on nothing here changes
  released_by text check (released_by in ('all', 'quorum', 'unreachable', 'timeout', 'cancelled')),
  check ((released_at is null) = (released_by is null))
);
create index joins_waiting on millrace.joins (id) where released_at is null;

-- What one emission of the parent began: its messages, and all that follows from them unless the parent said otherwise.
create table millrace.join_branches (
  id       uuid primary key,               -- that of its first message
  join_id  uuid not null,
  place    int not null,                   -- in the order in which the parent named them
  type     text not null,                  -- of the emission
  state    text not null check (state in ('open', 'succeeded', 'failed', 'cancelled')),
  error_code text,                         -- of the first message in it that failed or was cancelled
  ended_at timestamptz,
  unique (join_id, place)
);
create index join_branches_open on millrace.join_branches (join_id, place) where state = 'open';

alter table millrace.messages
  -- The branch of a join that the message belongs to.
  add column branch_id uuid,
  -- Whether what follows from the message is outside of the branch; null: it is not.
  add column ends_branch boolean,
  -- The join that the message waited for; what came of it is the message's to read.
  add column join_id uuid;

create index messages_branch on millrace.messages (branch_id, sweep_at) where branch_id is not null;
create index messages_join on millrace.messages (join_id) where join_id is not null;

-- Brings joins up to what their branches are: what has ended is counted, and messages that have nothing to wait for any more are let go.
-- Whoever changes a join holds its row, and rows are taken in the order of their ids, so that two never wait for each other. A waiting
-- message that somebody else holds (a cancellation) is passed over with its join: the sweeper comes back to that. Answers the joins that
-- it released.
create function millrace.settle_joins(branches uuid[], asked uuid[]) returns setof uuid language plpgsql
  set plan_cache_mode = force_generic_plan set jit = off as $$
  declare
    held uuid[];
    met uuid[];
  begin
    select array_agg(l.id) into held from (
      select j.id from millrace.joins j
      where j.id = any(array(select b.join_id from millrace.join_branches b where b.id = any(branches)) || asked) and j.released_at is null
      order by j.id for update) l;
    if held is null then return; end if;
    -- From here on the statements see what others did to these joins before they let them go.
    with looked as materialized (
      select b.id, b.join_id, b.state as was, s.state, s.error_code
      from millrace.join_branches b cross join lateral (
        (select 'open' as state, null as error_code from millrace.messages m where m.branch_id = b.id and m.sweep_at is not null limit 1)
        union all
        (select case m.state when 'dead_lettered' then 'failed' else 'cancelled' end, m.error_code from millrace.messages m
         where m.branch_id = b.id and m.state in ('dead_lettered', 'cancelled') order by m.state desc, m.hops, m.id limit 1)
        union all
        select 'succeeded', null
        limit 1) s
      where b.id = any(branches) and b.join_id = any(held)),
    changed as (
      update millrace.join_branches b
      set state = l.state, error_code = l.error_code, ended_at = case when l.state <> 'open' then clock_timestamp() end
      from looked l where b.id = l.id and l.state <> l.was
      returning b.join_id, l.was, b.state)
    update millrace.joins j set ended = j.ended + s.ended, succeeded = j.succeeded + s.succeeded
    from (
      select c.join_id, sum((c.state <> 'open')::int - (c.was <> 'open')::int)::int as ended,
        sum((c.state = 'succeeded')::int - (c.was = 'succeeded')::int)::int as succeeded
      from changed c group by c.join_id) s
    where j.id = s.join_id;
    select array_agg(j.id) into met from millrace.joins j
    where j.id = any(held) and millrace.join_released_by(j) is not null;
    if met is null then return; end if;
    return query
    with waiting as materialized (
      select m.id, m.join_id from millrace.messages m
      where m.join_id = any(met) and m.state = 'pending' and m.parked_for = 'join'),
    locked as materialized (
      select m.id, m.join_id from millrace.messages m where m.id = any(array(select w.id from waiting w)) and m.parked_for = 'join'
      order by m.id for update skip locked),
    free as materialized (
      select j.id from millrace.joins j
      where j.id = any(met)
        and (select count(*) from waiting w where w.join_id = j.id) = (select count(*) from locked l where l.join_id = j.id)),
    let_go as (
      update millrace.messages m
      set parked_for = null, waits_for = null, waits_since = null, available_at = clock_timestamp(), sweep_at = 'infinity',
        order_place = case when m.order_key is not null then nextval('millrace.order_places') * 1000000 end
      from locked l join free f on f.id = l.join_id where m.id = l.id)
    update millrace.joins j
    set released_at = clock_timestamp(),
      released_by = case when exists (select from waiting w where w.join_id = j.id) then millrace.join_released_by(j) else 'cancelled' end
    from free f where j.id = f.id
    returning j.id;
  end $$;

-- What lets the messages of a join go; null while nothing does.
create function millrace.join_released_by(j millrace.joins) returns text language sql immutable as $$
  select case when j.succeeded >= j.quorum then 'quorum' when j.ended >= j.total then 'all'
    when j.total - j.ended + j.succeeded < j.quorum then 'unreachable' end $$;

-- A message that ends, or lives again, may change its branch. Nearly always none of a statement belongs to one.
create function millrace.settle_changed_branches() returns trigger language plpgsql
  set plan_cache_mode = force_generic_plan set jit = off as $$
  declare
    touched uuid[];
  begin
    if not exists (select from changed c where c.branch_id is not null) then return null; end if;
    select array_agg(distinct b.id) into touched
    from (select distinct c.branch_id, c.sweep_at is not null as is_open from changed c where c.branch_id is not null offset 0) c
    join millrace.join_branches b on b.id = c.branch_id
    where c.is_open <> (b.state = 'open');
    if touched is not null then perform millrace.settle_joins(touched, '{}'); end if;
    return null;
  end $$;

create trigger messages_settle_joins after update on millrace.messages
  referencing new table as changed for each statement execute function millrace.settle_changed_branches();
