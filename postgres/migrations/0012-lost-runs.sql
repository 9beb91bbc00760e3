-- How many of its latest runs in a row a message lost: their leases ended by themselves. One that kills its worker each time is given up.
alter table millrace.messages add column lost_runs integer not null default 0;
