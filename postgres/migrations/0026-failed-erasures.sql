-- An erasure whose data the ledger refuses is given up after a few tries, so that it stops the export for nobody else.
alter table millrace.erasures
  add column failures integer not null default 0,       -- tries that failed for its data, since it last came further
  add column failure text,                              -- the code of the last failure
  add column failed_at timestamptz,                     -- given up; ended_at is the same
  add column in_store boolean not null default false;   -- the column store is being changed: it has to come to its end
