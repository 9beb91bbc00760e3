-- How many emissions lie between a message and the admitted one that it follows from. Stages that emit to each other in
-- a circle are stopped at a bound.
alter table millrace.messages add column hops integer not null default 0;
