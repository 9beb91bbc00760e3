-- Periods that are closed: what is learnt of their calls afterwards is booked in the present and names the period.
create table millrace.billing_periods (
  id            uuid primary key,
  name          text not null,             -- the month: "2026-10"
  time_zone     text not null,             -- whose month: an IANA name
  from_at       timestamptz not null,
  to_at         timestamptz not null,      -- excluded
  closed_at     timestamptz not null default clock_timestamp(),
  closed_by     text not null,
  reason        text not null,
  reopened_at   timestamptz,               -- null while it is closed
  reopened_by   text,
  reopen_reason text,
  constraint billing_periods_span check (from_at < to_at),
  constraint billing_periods_reopened check ((reopened_at is null) = (reopened_by is null) and (reopened_at is null) = (reopen_reason is null))
);

create unique index billing_periods_closed on millrace.billing_periods (name) where reopened_at is null;

-- Whatever writes a record about a call of a closed period. A period is closed while nobody writes into the outbox (it is locked), so that
-- every writer is either seen by whoever closes, or sees the closed period here. The time of a record stands before any text in it.
create function millrace.book_in_open_period() returns trigger language plpgsql as $$
  declare
    period text;
  begin
    select p.name into period from millrace.billing_periods p
    where p.reopened_at is null and p.from_at <= (substring(new.line from '"ts":"([^"]+)"') || '+00')::timestamptz
      and p.to_at > (substring(new.line from '"ts":"([^"]+)"') || '+00')::timestamptz;
    if period is not null then
      new.line := regexp_replace(new.line, '"ts":"[^"]*"',
        '"ts":"' || to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') || '","corrected_period":"' || period || '"');
    end if;
    return new;
  end $$;

create trigger outbox_booked before insert on millrace.outbox for each row
  when (new.target = 'usage' and new.line is not null) execute function millrace.book_in_open_period();

-- Prices that operators have set while the product runs. They come after the own prices of the configuration and before every list.
create table millrace.price_overrides (
  id      uuid primary key,
  entry   text not null,                   -- one price in the format of the price overlay: JSON
  actor   text not null,
  reason  text not null,
  set_at  timestamptz not null default clock_timestamp()
);

-- Catalogues that operators have taken in place of the packaged one; the latest holds.
create table millrace.price_catalogues (
  id       uuid primary key,
  digest   text not null,                  -- tells one content from another
  content  text,                           -- null: the packaged one again
  actor    text not null,
  reason   text not null,
  taken_at timestamptz not null default clock_timestamp()
);
