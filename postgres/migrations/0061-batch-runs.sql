-- How batches are run: what the dispatcher has to know after a crash, and how it finds what is next without looking at what is not.

alter table millrace.batches
  -- Items that had succeeded or failed when the tripwire began to count (anew, after an operator resumed the batch).
  add column counted_from int not null default 0;

alter table millrace.batch_failures
  -- The same for this reason.
  add column counted_from int not null default 0;

alter table millrace.batch_chunks
  -- When the messages of all its items had been admitted; null while some may be missing, so that admitting them is begun again.
  add column admitted_at timestamptz,
  -- How often it was begun in all: `attempts` counts from the last time that an operator had it run again.
  add column begun int not null default 0,
  -- Items that failed for a reason that passes, and for which it will not be begun again.
  add column given_up int not null default 0;

alter table millrace.batch_items
  -- How often the item was run anew under another message, because the one before was cancelled. Part of the message's identity.
  add column run int not null default 0,
  -- Answers that it used and that have no price.
  add column unpriced int not null default 0;

create index batches_running on millrace.batches (priority desc, started_at, id) where state = 'running';
create index batches_cancelling on millrace.batches (id) where state = 'cancelling';
create index batches_deadlines on millrace.batches (deadline, id) where deadline is not null and state in ('running', 'paused', 'halted');
-- Those of which every item has ended.
create index batches_full on millrace.batches (id)
  where state in ('running', 'paused', 'halted', 'cancelling') and succeeded + failed + expired + cancelled + skipped >= items;
create index batches_newest on millrace.batches (created_at desc, id desc);

-- The chunks of a batch in the order in which they may be begun.
create index batch_chunks_due on millrace.batch_chunks (batch_id, (coalesce(next_at, timestamptz '-infinity')), chunk) where state = 'waiting';
create index batch_chunks_unadmitted on millrace.batch_chunks (batch_id, chunk) where state = 'running' and admitted_at is null;
create index batch_items_waiting on millrace.batch_items (batch_id, chunk, position) where state = 'waiting';
