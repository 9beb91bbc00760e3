-- What is told of batches by webhooks. A notice is written with the change of state that it tells of, by whatever statement changes it; it is sent
-- until it was taken, or was given up on.
create table if not exists millrace.batch_notices (
  id           uuid primary key,             -- the webhook-id: the same however often it is sent
  batch_id     uuid not null references millrace.batches (id) on delete cascade,
  webhook      text not null,                -- its name in the configuration
  body         text not null,                -- JSON: the same however often it is sent
  attempts     int not null default 0,       -- requests that were begun
  next_at      timestamptz not null default clock_timestamp(),
  created_at   timestamptz not null default clock_timestamp(),
  delivered_at timestamptz,
  given_up_at  timestamptz,
  last_error   text
);

create index if not exists batch_notices_due on millrace.batch_notices (next_at, id) where delivered_at is null and given_up_at is null;
create index if not exists batch_notices_given_up on millrace.batch_notices (given_up_at) where given_up_at is not null;
create index if not exists batch_notices_of_batch on millrace.batch_notices (batch_id);

create or replace function millrace.write_batch_notice() returns trigger language plpgsql as $$
  begin
    insert into millrace.batch_notices (id, batch_id, webhook, body)
    values (gen_random_uuid(), new.id, new.settings::json -> 'notify' ->> 'webhook',
      json_build_object(
        'type', 'batch.' || new.state,
        'timestamp', to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'data', json_strip_nulls(json_build_object(
          'id', new.id, 'name', new.name, 'team', new.team, 'pipeline', new.pipeline, 'state', new.state, 'cause', new.cause::json,
          'items', json_build_object('total', new.items, 'succeeded', new.succeeded, 'failed', new.failed, 'expired', new.expired,
            'cancelled', new.cancelled, 'skipped', new.skipped),
          'costUsd', trim_scale(new.cost_usd)::text, 'unpriced', new.unpriced)))::text);
    return null;
  end $$;

create or replace trigger batches_notice after update of state on millrace.batches for each row
  when (old.state is distinct from new.state and new.state in ('halted', 'succeeded', 'failed', 'cancelled', 'expired')
    and new.settings::json -> 'notify' ->> 'webhook' is not null)
  execute function millrace.write_batch_notice();
