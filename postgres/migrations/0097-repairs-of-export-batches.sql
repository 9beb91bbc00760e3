-- How many repairs of an export batch were begun: each inserts the missing rows under a token of its own, and is noted before it is tried.
alter table millrace.export_batches add column repairs integer not null default 0;
