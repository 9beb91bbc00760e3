-- Batches that a provider runs, with the requests in them. A step at the provider is written down before it is taken, so that whoever goes on
-- after a crash looks whether it happened.
create table millrace.provider_batches (
  id                  uuid primary key,         -- follows from the requests; also the marker at the provider
  account             text not null,            -- a provider of the configuration
  model               text not null,
  endpoint            text not null,            -- "/v1/chat/completions"
  state               text not null check (state in ('planned', 'uploading', 'uploaded', 'creating', 'running', 'ended', 'collected',
                        'settled', 'closed', 'unresolved')),
  requests            int not null check (requests > 0),
  bytes               bigint not null,
  estimated_tokens    bigint not null,
  file_id             text,                     -- the provider's id of the uploaded requests
  provider_id         text,                     -- the provider's id of the batch
  step_began_at       timestamptz,              -- of the step that is under way
  attempts            int not null default 0,   -- of the step in which nothing goes on
  last_error          text,
  unresolved          text,                     -- why it cannot go on by itself
  ending              text,                     -- JSON: what the provider said when it had ended
  findings            text,                     -- JSON: what its results were found to be
  cancel_requested_at timestamptz,
  cancel_sent_at      timestamptz,
  next_at             timestamptz not null,
  fence               bigint not null default 0,
  leased_until        timestamptz,
  planned_at          timestamptz not null,
  created_at          timestamptz,              -- when the provider was known to have it
  closed_at           timestamptz
);

create index provider_batches_due on millrace.provider_batches (next_at, id) where state not in ('closed', 'unresolved');
create index provider_batches_closed on millrace.provider_batches (closed_at) where state = 'closed';
create index provider_batches_enqueued on millrace.provider_batches (account, model) where state in ('creating', 'running');
-- One batch of a provider is never two of ours.
create unique index provider_batches_provider on millrace.provider_batches (account, provider_id) where provider_id is not null;

create table millrace.provider_batch_requests (
  batch_id         uuid not null references millrace.provider_batches (id) on delete cascade,
  place            int not null,
  request_id       text not null unique,        -- the caller's
  body             text not null,               -- the body of the HTTP request: JSON
  estimated_tokens bigint not null,
  outcome          text check (outcome in ('succeeded', 'failed', 'expired', 'cancelled', 'missing')),
  status_code      int,
  result           text,                        -- the body of the answer: JSON
  error_code       text,
  error_message    text,
  input_tokens     bigint,
  output_tokens    bigint,
  settled_at       timestamptz,
  primary key (batch_id, place)
);

create index provider_batch_requests_unsettled on millrace.provider_batch_requests (batch_id, place) where settled_at is null;
