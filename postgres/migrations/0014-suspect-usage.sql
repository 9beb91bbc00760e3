-- Usage that a provider reported and that cannot be true: it was not booked, the call was counted from its texts.
alter table millrace.calls add column is_suspect boolean not null default false;
