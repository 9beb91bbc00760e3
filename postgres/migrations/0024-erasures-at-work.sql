-- An erasure that died is taken up by another process: so what is erased stands here while it is at work, and goes when it
-- has ended. Whoever works on it holds a lease.
alter table millrace.erasures
  add column selection json,            -- null when it has ended
  add column team text,                 -- whose it is; null: of all teams
  add column lease uuid,                -- of the process that works on it
  add column leased_until timestamptz,
  add column messages integer;          -- how many were erased; null until the end
