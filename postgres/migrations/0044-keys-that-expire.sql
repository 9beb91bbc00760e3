-- Keys that end by themselves, follow one another, and have a rate of their own.
alter table millrace.api_keys
  add column expires_at          timestamptz, -- from when it is refused; null: until it is revoked
  add column replaces            uuid,        -- the key that it was made to replace
  add column requests_per_minute integer,     -- in each process, over all routes; null: as configured
  add constraint api_keys_rate check (requests_per_minute > 0);
