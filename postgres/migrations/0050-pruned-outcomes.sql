-- What calls that were pruned had come to, so that all counts and sums of the ledger outlive its rows, and not some of them. Of
-- calls that were pruned before, only their number and cost are known.
alter table millrace.pruned_totals
  add column if not exists succeeded           bigint  not null default 0,
  add column if not exists failed              bigint  not null default 0,
  add column if not exists estimated           bigint  not null default 0,
  add column if not exists unpriced            bigint  not null default 0,
  add column if not exists estimated_usd       numeric not null default 0,
  add column if not exists estimated_upper_usd numeric not null default 0,
  add column if not exists open_upper_usd      numeric not null default 0;
