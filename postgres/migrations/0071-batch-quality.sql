-- The quality gate of batches: when all items have ended, a sample of them is checked, and the end of the batch depends on it.

alter table millrace.batches
  add column if not exists checks        int,                      -- items that were drawn to be checked; null while none were
  add column if not exists checks_passed int not null default 0,   -- of these
  add column if not exists checks_failed int not null default 0;

alter table millrace.batch_items
  add column if not exists check_state  text check (check_state in ('open', 'passed', 'failed')), -- null: not drawn
  add column if not exists check_reason text;                                                     -- why it failed

create index if not exists batch_items_checked on millrace.batch_items (batch_id, check_state, position) where check_state is not null;

-- A check that has ended moves the batch too.
create or replace trigger batches_progress before update on millrace.batches for each row
  when ((old.state, old.succeeded, old.failed, old.expired, old.cancelled, old.skipped, old.checks, old.checks_passed, old.checks_failed)
    is distinct from (new.state, new.succeeded, new.failed, new.expired, new.cancelled, new.skipped, new.checks, new.checks_passed, new.checks_failed))
  execute function millrace.note_batch_progress();
