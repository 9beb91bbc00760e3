-- Calls that are put off to be sent in a provider's batch. Each is kept before its call is reserved, and is nothing until then; once it is
-- settled it stays until its message, which waits for it without a lease, was released.
create table millrace.deferred_calls (
  call_id          uuid primary key,         -- the call's, and the request's name in the provider's batch
  message_id       uuid not null,
  batch_id         uuid not null,            -- the batch that its message belongs to
  account          text not null,            -- a provider of the configuration
  model            text not null,
  endpoint         text not null,
  body             text,                     -- of the HTTP request: JSON; null once a provider's batch has it
  body_bytes       int not null,
  estimated_tokens bigint not null,
  bounds           text not null,            -- JSON: what the answer can use at most
  state            text not null check (state in ('waiting', 'sending', 'sent', 'settled')),
  provider_batch   uuid,                     -- the one that it is in
  kept_at          timestamptz not null default clock_timestamp()
);

-- What waits, by what can be sent together, the oldest first.
create index deferred_calls_waiting on millrace.deferred_calls (batch_id, account, model, endpoint, kept_at, call_id)
  where state = 'waiting';
create index deferred_calls_sending on millrace.deferred_calls (kept_at, call_id) where state = 'sending';
create index deferred_calls_sent on millrace.deferred_calls (batch_id, provider_batch) where state = 'sent';
create index deferred_calls_settled on millrace.deferred_calls (call_id) where state = 'settled';
create index deferred_calls_message on millrace.deferred_calls (message_id);

-- Whose calls a provider's batch holds: always those of one batch.
create table millrace.provider_batch_owners (
  provider_batch uuid primary key references millrace.provider_batches (id) on delete cascade,
  batch_id       uuid not null
);

create index provider_batch_owners_batch on millrace.provider_batch_owners (batch_id);
create index provider_batches_listed on millrace.provider_batches (planned_at desc, id desc);

-- Which way the calls of a batch to a model are made, and why.
create table millrace.batch_mode_choices (
  batch_id   uuid not null references millrace.batches (id) on delete cascade,
  model      text not null,                  -- "provider/model"
  mode       text not null check (mode in ('online', 'flex', 'provider')),
  reason     text not null,
  decided_at timestamptz not null default clock_timestamp(),
  primary key (batch_id, model)
);

-- Calls whose maker may be gone. Those that are put off are not among them, however many there are and however long they wait.
drop index millrace.calls_open;
create index calls_open on millrace.calls (request_kind, reserved_at) where state = 'reserved';

-- What became of requests stands apart from them: it is written once, beside rows that are wide and stay as they are.
create table millrace.provider_batch_results (
  batch_id      uuid not null references millrace.provider_batches (id) on delete cascade,
  place         int not null,
  outcome       text not null check (outcome in ('succeeded', 'failed', 'expired', 'cancelled', 'missing')),
  status_code   int,
  result        text,                        -- the body of the answer as the provider wrote it: JSON
  error_code    text,
  error_message text,
  input_tokens  bigint,
  output_tokens bigint,
  primary key (batch_id, place)
);

insert into millrace.provider_batch_results (batch_id, place, outcome, status_code, result, error_code, error_message, input_tokens, output_tokens)
select batch_id, place, outcome, status_code, result, error_code, error_message, input_tokens, output_tokens
from millrace.provider_batch_requests where outcome is not null
on conflict do nothing;

-- Outcomes are settled in the order of their places: the last place that is.
alter table millrace.provider_batches add column settled_through int not null default -1;
update millrace.provider_batches b set settled_through = s.place
from (select batch_id, max(place) as place from millrace.provider_batch_requests where settled_at is not null group by batch_id) s
where s.batch_id = b.id;

drop index millrace.provider_batch_requests_unsettled;
alter table millrace.provider_batch_requests
  drop column outcome, drop column status_code, drop column result, drop column error_code, drop column error_message,
  drop column input_tokens, drop column output_tokens, drop column settled_at;
