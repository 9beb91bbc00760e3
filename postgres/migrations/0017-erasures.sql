-- What was erased, and how far an erasure has come. The erased name is not here: only its digest, salted with the id, by
-- which the same command finds the erasure that it began.
create table millrace.erasures (
  id             uuid primary key,
  kind           text not null check (kind in ('customer', 'team', 'message')),
  selection_hash text not null,
  pseudonym      text not null,            -- stands where the customer's name stood
  actor          text not null,
  reason         text not null,
  began_at       timestamptz not null default clock_timestamp(),
  ended_at       timestamptz,              -- null: begun, and to be gone on with
  months         json not null default '{}' -- of the rollup by customer: 'copied' or 'renamed'
);

-- One at a time: while it is at work, nothing is exported.
create unique index erasures_open on millrace.erasures ((true)) where ended_at is null;
