-- Processes that show clients the events of requests which are to be cancelled when nobody listens any more (on_disconnect = 'cancel').
create table millrace.request_listeners (
  request_id    uuid not null,
  listener      text not null,               -- the process
  listens_until timestamptz not null,        -- prolonged while it has a reader; then, the end of the grace time
  primary key (request_id, listener)
);

create index request_listeners_until on millrace.request_listeners (listens_until, request_id);
