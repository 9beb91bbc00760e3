-- How many runs a message lost since it last failed by itself or was replayed: their leases ended by themselves. One that
-- kills its worker each time is given up.
alter table millrace.messages add column lost_runs integer not null default 0;
