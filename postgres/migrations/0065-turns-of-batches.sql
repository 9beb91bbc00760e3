-- When a chunk of the batch was last begun: of batches that could go on, the one does that has waited longest.
alter table millrace.batches add column if not exists begun_at timestamptz;
drop index if exists millrace.batches_running;
create index if not exists batches_turns on millrace.batches (priority desc, begun_at nulls first, started_at, id) where state = 'running';

-- Until when a process may admit items of the chunk, renewed for every page: before that nobody ends an item because its message is not there.
alter table millrace.batch_chunks add column if not exists admitting_until timestamptz;
