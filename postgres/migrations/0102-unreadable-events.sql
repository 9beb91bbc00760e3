-- Events from outside of which no message could be made. They have no origin and no stage, so they are no messages; they are acknowledged at
-- their source, and stand here so that nothing is lost: as they came, as far as the bound goes, and where they came from.
create table if not exists millrace.unreadable_events (
  trigger       text not null,
  partition     text not null,               -- topic and partition, queue, stream or table
  position      text not null,               -- offset or id in it
  key           text,
  headers       jsonb not null,              -- cut where they are long
  payload       bytea not null,              -- its first bytes
  payload_bytes int not null,                -- of the whole
  sent_at       timestamptz,                 -- as the source says
  error_code    text not null,
  error_detail  text not null,               -- may name parts of the payload. Goes with the row
  received_at   timestamptz not null default clock_timestamp(),
  primary key (trigger, partition, position)
);
create index if not exists unreadable_events_received on millrace.unreadable_events (received_at, trigger, partition, position);
