-- What comparing a provider's bill with the ledger has found, a row for each day. A later bill, or records that came late, make
-- a new row; the one before stays, superseded.
create table millrace.reconciliations (
  id             uuid primary key,
  provider       text not null,           -- whose bill: "openai"
  day            date not null,           -- in UTC
  accounts       text[] not null,         -- providers of the configuration that it bills
  keys           text[] not null,         -- keys that only this installation uses; empty: all
  form           text not null,
  bill_digest    text not null,
  bill           text not null,           -- JSON: the bill's lines of this day, to compare them again
  ledger_digest  text not null,
  ledger_usd     numeric not null,
  bill_usd       numeric not null,
  residual_usd   numeric not null,        -- differences without a cause, each as a positive amount
  differences    text not null,           -- JSON: amounts by cause
  state          text not null check (state in ('reconciled', 'explained', 'open')),
  rows           text not null,           -- JSON: the compared rows
  notices        text not null,           -- JSON: what of the bill was not understood
  reason         text not null check (reason in ('bill', 'ledger')),
  actor          text not null,
  made_at        timestamptz not null default clock_timestamp(),
  superseded_at  timestamptz
);

create unique index reconciliations_current on millrace.reconciliations (provider, day) where superseded_at is null;
create index reconciliations_day on millrace.reconciliations (day desc, provider, id);
