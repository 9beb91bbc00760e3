-- Batches: many items through one pipeline, with one end. An item is an ordinary message, whose id follows from the batch and the item's id;
-- what is here says which items there are, how far each has come, and what the batch will hand out at its end.
create table millrace.batches (
  id           uuid primary key,           -- follows from team and name
  team         text not null,
  name         text not null,              -- the batch in its messages' origin
  customer     text not null,              -- with feature and labels, the origin of items that name no other
  feature      text not null,
  labels       text,                       -- canonical JSON
  pipeline     text not null,
  type         text not null,              -- of its items' messages
  version      int not null,
  settings     text not null,              -- JSON: how it is run
  state        text not null check (state in ('receiving', 'running', 'paused', 'halted', 'cancelling', 'succeeded', 'failed', 'cancelled', 'expired')),
  cause        text,                       -- JSON, code and detail: why it is halted, or ended as it did
  priority     int not null default 0,     -- of two batches that both could go on, the higher one does
  deadline     timestamptz,
  upload       uuid,                       -- the upload whose items it has
  upload_state text not null default 'none' check (upload_state in ('none', 'receiving', 'complete', 'faulty')),
  items        int not null default 0,
  chunks       int not null default 0,
  -- Of the items that have ended. Each is in exactly one of these.
  succeeded    int not null default 0,
  failed       int not null default 0,
  expired      int not null default 0,
  cancelled    int not null default 0,
  skipped      int not null default 0,
  cost_usd     numeric not null default 0, -- of the answers that its ended items used
  unpriced     int not null default 0,     -- answers of these that have no price
  actor        text not null,
  created_at   timestamptz not null default clock_timestamp(),
  started_at   timestamptz,
  ended_at     timestamptz,
  unique (team, name)
);

-- Those that somebody must look at.
create index batches_open on millrace.batches (priority desc, started_at, id) where state in ('running', 'paused', 'halted', 'cancelling');
create index batches_listed on millrace.batches (team, created_at desc, id desc);
create index batches_ended on millrace.batches (ended_at) where ended_at is not null;
create index batches_receiving on millrace.batches (created_at) where state = 'receiving';

-- A group of items that is admitted together and tried again together.
create table millrace.batch_chunks (
  batch_id   uuid not null references millrace.batches (id) on delete cascade,
  chunk      int not null,                 -- from 1
  state      text not null default 'waiting' check (state in ('waiting', 'running', 'done', 'failed')),
  first_position int not null,
  items      int not null,
  ended      int not null default 0,
  failed     int not null default 0,       -- of these
  attempts   int not null default 0,       -- how often it was begun
  next_at    timestamptz,                  -- when it may be begun (again); null: at any time
  cause      text,                         -- JSON: why it waits
  started_at timestamptz,
  ended_at   timestamptz,
  primary key (batch_id, chunk)
);

create index batch_chunks_waiting on millrace.batch_chunks (batch_id, chunk) where state = 'waiting';
create index batch_chunks_running on millrace.batch_chunks (batch_id, chunk) where state = 'running';

create table millrace.batch_items (
  batch_id      uuid not null references millrace.batches (id) on delete cascade,
  position      int not null,              -- from 1, in the order of the input
  item_id       text not null,
  chunk         int not null,
  message_id    uuid not null,             -- follows from team, batch and item id
  customer      text,                      -- with team and labels: where the item names its own
  team          text,
  labels        text,
  data          text,                      -- JSON; null once it succeeded, or was erased
  data_bytes    int not null,
  tokens        int not null,              -- estimated, of the input
  state         text not null default 'waiting' check (state in ('waiting', 'running', 'succeeded', 'failed', 'expired', 'cancelled', 'skipped')),
  attempts      int,
  error_code    text,
  error_message text,
  output        text,                      -- its line of the output: one JSON object
  cost_usd      numeric,
  input_tokens  bigint,
  output_tokens bigint,
  ended_at      timestamptz,
  primary key (batch_id, position),
  unique (batch_id, item_id)
) with (fillfactor = 70);

create index batch_items_running on millrace.batch_items (batch_id, chunk, position) where state = 'running';
create index batch_items_failed on millrace.batch_items (batch_id, position) where state in ('failed', 'expired', 'cancelled', 'skipped');
create index batch_items_message on millrace.batch_items (message_id);

-- How often items of a batch ended for the same reason: what the tripwire looks at.
create table millrace.batch_failures (
  batch_id uuid not null references millrace.batches (id) on delete cascade,
  code     text not null,
  items    int not null,
  primary key (batch_id, code)
);
