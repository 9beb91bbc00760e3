-- Batches are removed in slices. One of which a part may be gone is marked first, so that nobody starts it or runs it again.
alter table millrace.batches
  -- When somebody last sent items, or made or changed the batch: what was never started goes by this age.
  add column if not exists received_at timestamptz not null default clock_timestamp(),
  -- Since when it is being removed: by who discarded it, or because of its age.
  add column if not exists removing_at timestamptz;

update millrace.batches set received_at = created_at where state = 'receiving';
-- Whoever discarded these died before they were gone.
update millrace.batches set removing_at = clock_timestamp() where state = 'cancelled' and started_at is null;

drop index if exists millrace.batches_receiving;
create index if not exists batches_received on millrace.batches (received_at) where state = 'receiving';
create index if not exists batches_removing on millrace.batches (removing_at) where removing_at is not null;
