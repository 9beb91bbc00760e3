import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';

/*
 * The suite's own witness in the ledger: a trigger that writes down every change of a message's state or fencing token, in the
 * transaction that makes it, with the connection that made it. The product does not know of it.
 */

const installation = `
create schema chaos;
create table chaos.history (
  seq         bigint generated always as identity primary key,
  message_id  uuid not null,
  at          timestamptz not null default clock_timestamp(),
  from_state  text,
  to_state    text not null,
  from_fencing_token  integer,
  to_fencing_token    integer not null,
  held_by     text,
  taken_by    text,
  held_until  timestamptz,
  leased_at   timestamptz,
  available_at timestamptz not null,
  parked_for  text,
  xact        text not null default pg_current_xact_id()::text,
  client      text not null default current_setting('application_name', true)
);
create function chaos.note() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into chaos.history (message_id, to_state, to_fencing_token, taken_by, leased_at, available_at, parked_for)
    values (new.id, new.state, new.fencing_token, new.leased_by, new.leased_at, new.available_at, new.parked_for);
  elsif old.state <> new.state or old.fencing_token <> new.fencing_token or old.parked_for is distinct from new.parked_for then
    insert into chaos.history (message_id, from_state, to_state, from_fencing_token, to_fencing_token, held_by, taken_by, held_until, leased_at,
      available_at, parked_for)
    values (new.id, old.state, new.state, old.fencing_token, new.fencing_token, old.leased_by, new.leased_by, old.lease_until, new.leased_at,
      new.available_at, new.parked_for);
  end if;
  return null;
end $$;
create table chaos.batch_history (
  seq        bigint generated always as identity primary key,
  batch_id   uuid not null,
  position   int,
  from_state text not null,
  to_state   text not null,
  at         timestamptz not null default clock_timestamp()
);
create function chaos.note_batch() returns trigger language plpgsql as $$
begin
  insert into chaos.batch_history (batch_id, from_state, to_state) values (new.id, old.state, new.state);
  return null;
end $$;
create function chaos.note_item() returns trigger language plpgsql as $$
begin
  insert into chaos.batch_history (batch_id, position, from_state, to_state) values (new.batch_id, new.position, old.state, new.state);
  return null;
end $$;
create trigger chaos_note_batch after update of state on millrace.batches
  for each row when (old.state <> new.state) execute function chaos.note_batch();
create trigger chaos_note_item after update of state on millrace.batch_items
  for each row when (old.state <> new.state) execute function chaos.note_item();
create trigger chaos_note after insert or update of state, fencing_token, parked_for on millrace.messages
  for each row execute function chaos.note();
`;

/** Installs the witness, once. The ledger must have been migrated. */
export async function installHistory(database: SqlDatabase): Promise<void> {
  const { rows } = await database.query<{ there: boolean }>({
    name: 'chaos.is_installed',
    text: `select to_regclass('chaos.history') is not null as there`,
  });
  if (rows[0]?.there !== true) await database.execute(installation);
}
