-- Keys that say of the requests of their holders whose they are, and in which plan: what a product hands out to its own users.
alter table millrace.api_keys
  add column if not exists customer text,    -- of every request that it makes; null: the request says
  add column if not exists feature  text,    -- likewise
  add column if not exists tier     text,    -- the plan of its holder, by which the configuration chooses the lane; null: none
  add constraint api_keys_tier check (tier in ('paid', 'free'));
