-- Webhooks: endpoints, the events that they are told of, and for each event and endpoint one delivery with its attempts. An event and its
-- deliveries are written with the change of state that they tell of, by whatever statement changes it.

create table if not exists millrace.webhook_endpoints (
  id              uuid primary key,             -- of a configured one it follows from the name, see webhook_endpoint_id
  kind            text not null check (kind in ('configured', 'subscription')),
  name            text not null,
  team            text,                         -- of whose events it is told; null: of those of all teams, or as the configuration says
  url             text check ((url is null) = (kind = 'configured')),       -- of configured ones the configuration has it
  events          text[] not null default '{}', -- types that it is told of without being named
  signing         text not null default 'v1' check (signing in ('v1', 'v1a')),
  secret          text check ((secret is null) = (kind = 'configured')),    -- whsec_… or whsk_…
  previous_secret text,                         -- signs as well, until previous_until
  previous_until  timestamptz,
  state           text not null default 'enabled' check (state in ('enabled', 'disabled')),
  cause           text check (cause in ('operator', 'gone', 'exhausted')),  -- why it is disabled
  state_at        timestamptz,
  not_before      timestamptz,                  -- it asked for a pause: nothing is sent before
  taken_at        timestamptz,                  -- when it last took something
  created_at      timestamptz not null default clock_timestamp()
);
create unique index if not exists webhook_endpoints_subscription on millrace.webhook_endpoints (coalesce(team, ''), name) where kind = 'subscription';
create unique index if not exists webhook_endpoints_configured on millrace.webhook_endpoints (name) where kind = 'configured';
create index if not exists webhook_endpoints_team on millrace.webhook_endpoints (team, id) where kind = 'subscription';

create table if not exists millrace.webhook_events (
  id         uuid primary key,                  -- the webhook-id: the same for every endpoint and attempt
  team       text not null,
  type       text not null,
  subject    uuid,                              -- the batch or request that it tells of
  body       text not null,                     -- JSON: the same however often it is sent
  created_at timestamptz not null default clock_timestamp()
);
create index if not exists webhook_events_age on millrace.webhook_events (created_at, id);

create table if not exists millrace.webhook_deliveries (
  id          uuid primary key,
  event_id    uuid not null references millrace.webhook_events (id) on delete cascade,
  endpoint_id uuid not null references millrace.webhook_endpoints (id) on delete cascade,
  state       text not null default 'pending' check (state in ('pending', 'delivered', 'failed')),
  attempts    int not null default 0,           -- requests that were begun
  step        int not null default 0,           -- of these, since it was queued: its place on the ladder
  next_at     timestamptz not null default clock_timestamp(),
  queued_at   timestamptz not null default clock_timestamp(), -- when it was written, or was redelivered last
  created_at  timestamptz not null default clock_timestamp(),
  ended_at    timestamptz,
  unique (event_id, endpoint_id)
);
create index if not exists webhook_deliveries_due on millrace.webhook_deliveries (endpoint_id, next_at, id) where state = 'pending';
create index if not exists webhook_deliveries_age on millrace.webhook_deliveries (endpoint_id, queued_at, id) where state = 'pending';
create index if not exists webhook_deliveries_lost on millrace.webhook_deliveries (next_at, id) where state = 'pending' and step >= 10;
create index if not exists webhook_deliveries_list on millrace.webhook_deliveries (endpoint_id, created_at desc, id desc);

create table if not exists millrace.webhook_attempts (
  delivery_id uuid not null references millrace.webhook_deliveries (id) on delete cascade,
  attempt     int not null,
  at          timestamptz not null,
  duration_ms int not null,
  status      int,                              -- null: there was no answer
  problem     text,                             -- why it was not taken
  excerpt     text,                             -- the first of the answer's body
  primary key (delivery_id, attempt)
);

create or replace function millrace.webhook_endpoint_id(name text) returns uuid language sql immutable as
  $$ select md5('millrace.webhook/' || name)::uuid $$;

-- Writes an event for the endpoint that is named, if one is, and for those that are told of the type. One that was disabled by an operator, or says
-- that it is gone, is told of nothing more; for one that has not answered, deliveries are kept until it is enabled.
create or replace function millrace.write_webhook_event(of_type text, of_subject uuid, of_team text, named text, data json) returns void
  language plpgsql as $$
  declare
    event uuid;
    named_id uuid;
  begin
    if named is not null then
      select e.id into named_id from millrace.webhook_endpoints e where e.kind = 'subscription' and coalesce(e.team, '') = of_team and e.name = named;
      if named_id is null then
        named_id := millrace.webhook_endpoint_id(named);
        insert into millrace.webhook_endpoints (id, kind, name) values (named_id, 'configured', named) on conflict do nothing;
      end if;
    end if;
    if not exists (
      select from millrace.webhook_endpoints e
      where (e.state = 'enabled' or e.cause = 'exhausted')
        and (e.id = named_id or (e.kind = 'subscription' and (e.team = of_team or e.team is null) and of_type = any(e.events)))) then
      return;
    end if;
    event := gen_random_uuid();
    insert into millrace.webhook_events (id, team, type, subject, body)
    values (event, of_team, of_type, of_subject, json_build_object('type', of_type,
      'timestamp', to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'data', data)::text);
    insert into millrace.webhook_deliveries (id, event_id, endpoint_id)
    select gen_random_uuid(), event, e.id from millrace.webhook_endpoints e
    where (e.state = 'enabled' or e.cause = 'exhausted')
      and (e.id = named_id or (e.kind = 'subscription' and (e.team = of_team or e.team is null) and of_type = any(e.events)));
  end $$;

create or replace function millrace.write_batch_notice() returns trigger language plpgsql as $$
  begin
    perform millrace.write_webhook_event('batch.' || new.state, new.id, new.team, new.settings::json -> 'notify' ->> 'webhook',
      json_strip_nulls(json_build_object(
        'id', new.id, 'name', new.name, 'team', new.team, 'pipeline', new.pipeline, 'state', new.state, 'cause', new.cause::json,
        'items', json_build_object('total', new.items, 'succeeded', new.succeeded, 'failed', new.failed, 'expired', new.expired,
          'cancelled', new.cancelled, 'skipped', new.skipped),
        'costUsd', trim_scale(new.cost_usd)::text, 'unpriced', new.unpriced)));
    return null;
  end $$;

create or replace trigger batches_notice after update of state on millrace.batches for each row
  when (old.state is distinct from new.state and new.state in ('halted', 'succeeded', 'failed', 'cancelled', 'expired'))
  execute function millrace.write_batch_notice();

-- Notices of batches that were not taken yet become deliveries, under their ids; the table of notices goes.
do $$
  begin
    if to_regclass('millrace.batch_notices') is null then
      return;
    end if;
    insert into millrace.webhook_endpoints (id, kind, name)
    select distinct millrace.webhook_endpoint_id(n.webhook), 'configured', n.webhook from millrace.batch_notices n
    where n.delivered_at is null and n.given_up_at is null
    on conflict do nothing;
    insert into millrace.webhook_events (id, team, type, subject, body, created_at)
    select n.id, b.team, n.body::json ->> 'type', n.batch_id, n.body, n.created_at
    from millrace.batch_notices n join millrace.batches b on b.id = n.batch_id where n.delivered_at is null and n.given_up_at is null
    on conflict do nothing;
    insert into millrace.webhook_deliveries (id, event_id, endpoint_id, attempts, queued_at, created_at)
    select gen_random_uuid(), n.id, millrace.webhook_endpoint_id(n.webhook), n.attempts, n.created_at, n.created_at
    from millrace.batch_notices n where n.delivered_at is null and n.given_up_at is null
    on conflict do nothing;
    drop table millrace.batch_notices;
  end $$;
