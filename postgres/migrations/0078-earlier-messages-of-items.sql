-- The messages that an item had before its present one, in runs that were cancelled: what their calls cost belongs to the item as well.
create table if not exists millrace.batch_item_runs (
  batch_id   uuid not null references millrace.batches (id) on delete cascade,
  position   int not null,
  message_id uuid not null,
  primary key (batch_id, position, message_id)
);
