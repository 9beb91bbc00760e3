-- When something last moved in a batch: an item ended, or its state changed. What stands still can be told from what is slow.
alter table millrace.batches add column if not exists progressed_at timestamptz;

-- Whatever statement counts an end has moved the batch.
create or replace function millrace.note_batch_progress() returns trigger language plpgsql as $$
  begin
    new.progressed_at := clock_timestamp();
    return new;
  end $$;

create or replace trigger batches_progress before update on millrace.batches for each row
  when ((old.state, old.succeeded, old.failed, old.expired, old.cancelled, old.skipped)
    is distinct from (new.state, new.succeeded, new.failed, new.expired, new.cancelled, new.skipped))
  execute function millrace.note_batch_progress();

-- What somebody must look at is found without looking at what is done.
create index if not exists batch_chunks_failed on millrace.batch_chunks (batch_id, chunk) where state = 'failed';
create index if not exists provider_batches_unresolved on millrace.provider_batches (planned_at, id) where state = 'unresolved';
