-- Which message is next, and what may not go on.

alter table millrace.messages
  -- What must be lifted before this message may go on ("hold:…", "budget:…", "order"); null when only time keeps it waiting.
  add column parked_for text,
  -- Messages of a stage that share a key go one after another, by place.
  add column order_key text,
  add column order_place bigint,
  add constraint messages_parked_state check (parked_for is null or state = 'pending') not valid;

-- Places in the order of keys. A clock would not do: two messages can come in the same tick of it.
create sequence millrace.order_places;

-- The next messages of a stage: by lane, then in turn by customer, then by age. Claims go from customer to customer;
-- in byte order that is quicker than in a language's.
create index messages_ready on millrace.messages (stage, lane, customer collate "C", available_at, id)
  where state = 'pending' and parked_for is null;
create index messages_parked on millrace.messages (parked_for) where parked_for is not null;
create index messages_order on millrace.messages (stage, order_key, order_place)
  where order_key is not null and wake_at is not null;
-- Two of one key can never be worked on side by side, whoever claims them.
create unique index messages_order_held on millrace.messages (stage, order_key)
  where order_key is not null and state = 'leased';

-- How many messages of a stage ended, in ten seconds each, over all processes: kept for a quarter of an hour.
create table millrace.stage_ends (
  stage  text not null,
  bucket timestamptz not null,
  ended  integer not null,
  primary key (stage, bucket)
);

-- What an operator has stopped. Claims and reservations look here, so that a hold counts everywhere from its commit on.
create table millrace.holds (
  id         uuid primary key,
  scope      text not null check (scope in ('all', 'stage', 'model', 'provider', 'team', 'customer', 'feature', 'batch')),
  value      text not null,               -- '' for the scope 'all'
  aborts     boolean not null,            -- whether what is in the air is aborted too
  actor      text not null,
  reason     text not null,
  created_at timestamptz not null default clock_timestamp(),
  unique (scope, value)
);
