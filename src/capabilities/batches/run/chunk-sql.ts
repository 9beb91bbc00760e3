import { named } from '../../../drivers/sql-database/sql-statement.ts';
import { batchColumns } from '../batch-rows.ts';

/*
 * Every statement by which chunks are begun and come to an end. Time is the database's. Each may be repeated: whoever runs one a second
 * time, after a crash or beside another process, finds the rows as it would leave them.
 */

/**
 * $1 chunks under way at most, $2 items of these, $3 batches that are compared, $4 chunks that are begun at most, $5 running batches that are looked at
 * for a chunk that is due: of the batches with the highest priority first, and of equal ones in turn, the one with the fewest chunks under way
 * first, then the one of which none was begun for longest. One chunk is always begun where none is under way, however large. Answers their batches.
 */
export const claimChunks = named(
  'batches.claim_chunks',
  `with busy as (
     select count(*)::int as chunks, coalesce(sum(items - ended), 0)::int as items from millrace.batch_chunks where state = 'running'),
   running as (
     select b.id, b.priority, b.begun_at, b.started_at, b.in_flight, u.running from (
       select r.id, r.priority, r.begun_at, r.started_at, coalesce((r.settings::json -> 'chunk' ->> 'inFlight')::int, 8) as in_flight
       from millrace.batches r where r.state = 'running' order by r.priority desc, r.begun_at nulls first, r.started_at, r.id limit $5) b
     cross join lateral (select count(*)::int as running from millrace.batch_chunks n where n.batch_id = b.id and n.state = 'running') u
     where u.running < b.in_flight and coalesce((
       select coalesce(w.next_at, timestamptz '-infinity') <= clock_timestamp() from millrace.batch_chunks w
       where w.batch_id = b.id and w.state = 'waiting' order by coalesce(w.next_at, timestamptz '-infinity'), w.chunk limit 1), false)
     order by b.priority desc, b.begun_at nulls first, b.started_at, b.id limit $3),
   candidates as (
     select r.id, r.priority, r.begun_at, r.started_at, c.chunk, c.items, r.running + row_number() over (partition by r.id order by c.due, c.chunk) as round
     from running r
     cross join lateral (
       select w.chunk, w.items, coalesce(w.next_at, timestamptz '-infinity') as due from millrace.batch_chunks w
       where w.batch_id = r.id and w.state = 'waiting' and coalesce(w.next_at, timestamptz '-infinity') <= clock_timestamp()
       order by coalesce(w.next_at, timestamptz '-infinity'), w.chunk
       limit least($4::int, r.in_flight - r.running)) c),
   ordered as (
     select c.id, c.chunk, row_number() over places as nth, sum(c.items) over places as total from candidates c
     window places as (order by c.priority desc, c.round, c.begun_at nulls first, c.started_at, c.id, c.chunk rows unbounded preceding)),
   chosen as (
     select w.batch_id, w.chunk from ordered o join millrace.batch_chunks w on w.batch_id = o.id and w.chunk = o.chunk cross join busy
     where w.state = 'waiting' and o.nth <= least($4::int, $1::int - busy.chunks)
       and (o.total <= $2::int - busy.items or (busy.chunks = 0 and o.nth = 1))
     order by w.batch_id, w.chunk for update of w skip locked),
   begun as (
     update millrace.batch_chunks c
     set state = 'running', attempts = c.attempts + 1, begun = c.begun + 1, admitted_at = null, admitting_until = null, next_at = null, cause = null, ended_at = null,
       started_at = coalesce(c.started_at, clock_timestamp())
     from chosen w where c.batch_id = w.batch_id and c.chunk = w.chunk
     returning c.batch_id, c.chunk),
   items as (
     update millrace.batch_items i set state = 'running'
     from begun b where i.batch_id = b.batch_id and i.chunk = b.chunk and i.state = 'waiting')
   select batch_id from begun`,
);

/** $1 batches of which chunks were begun just now. Who holds one meanwhile has it begun a little earlier again, and nothing else. */
export const noteTurns = named(
  'batches.note_turns',
  `with free as (select b.id from millrace.batches b where b.id = any($1::uuid[]) order by b.id for update skip locked)
   update millrace.batches b set begun_at = clock_timestamp() from free f where b.id = f.id`,
);

/** $1 how many: chunks that were begun and whose items may not all have been admitted, with their batches. */
export const listUnadmitted = named(
  'batches.list_unadmitted_chunks',
  `select ${batchColumns}, c.chunk, c.attempts, c.begun from millrace.batch_chunks c join millrace.batches b on b.id = c.batch_id
   where c.state = 'running' and c.admitted_at is null and b.state in ('running', 'paused', 'halted')
   order by c.batch_id, c.chunk limit $1`,
);

/** $1 batch, $2 chunk, $3 the last position seen, $4 how many: its items that are under way. */
export const readChunkItems = named(
  'batches.read_chunk_items',
  `select i.position, i.item_id, i.message_id, i.run, i.customer, i.team, i.labels, i.data, i.tokens from millrace.batch_items i
   where i.batch_id = $1::uuid and i.chunk = $2::int and i.state = 'running' and i.position > $3::int
   order by i.position limit $4`,
);

/**
 * $1 batch, $2 chunk, $3 how often it was begun, $4 milliseconds: its items may be admitted for so long. No row where it is not under way any more, or the batch is
 * being cancelled.
 */
export const renewAdmission = named(
  'batches.renew_admission',
  `update millrace.batch_chunks c set admitting_until = clock_timestamp() + $4::float8 * interval '1 millisecond'
   where c.batch_id = $1::uuid and c.chunk = $2::int and c.begun = $3::int and c.state = 'running' and c.admitted_at is null
     and exists (select from millrace.batches b where b.id = c.batch_id and b.state in ('running', 'paused', 'halted'))`,
);

/** $1 batch, $2 chunk, $3 how often it was begun: nothing more of it is admitted for now. */
export const leaveAdmission = named(
  'batches.leave_admission',
  `update millrace.batch_chunks set admitting_until = null
   where batch_id = $1::uuid and chunk = $2::int and begun = $3::int and state = 'running' and admitted_at is null`,
);

/** $1 batch, $2 positions, $3 the ids of their messages, $4 of those they had: items remember these. One that has another by then stays as it is. */
export const setMessageIds = named(
  'batches.set_message_ids',
  `with moved as (
     update millrace.batch_items i set message_id = u.message_id
     from unnest($2::int[], $3::uuid[], $4::uuid[]) as u(position, message_id, was)
     where i.batch_id = $1::uuid and i.position = u.position and i.message_id = u.was
     returning i.batch_id, i.position, u.was)
   insert into millrace.batch_item_runs (batch_id, position, message_id)
   select m.batch_id, m.position, m.was from moved m order by m.position on conflict do nothing`,
);

/** $1 ids: those messages that are there, with what an item is compared with. */
export const readPresentMessages = named(
  'batches.read_present_messages',
  `select m.id, m.source, m.type, m.version, m.customer, m.feature, m.batch, m.labels, m.body, m.body_ref
   from millrace.messages m where m.id = any($1::uuid[])`,
);

/** $1 batch, $2 chunk: the messages of all its items are there. No row where it is not under way any more. */
export const markAdmitted = named(
  'batches.mark_admitted',
  `update millrace.batch_chunks set admitted_at = clock_timestamp()
   where batch_id = $1::uuid and chunk = $2::int and state = 'running' and admitted_at is null`,
);

/**
 * $1 batch, $2 chunk, $3 positions of items that could not be admitted, $4 the delay in milliseconds, $5 the cause, $6 whether being begun
 * counts as an attempt: the chunk waits, for these items. Those that were admitted go on.
 */
export const putBack = named(
  'batches.put_back_chunk',
  `with back as (
     update millrace.batch_chunks c
     set state = 'waiting', attempts = c.attempts - case when $6::boolean then 0 else 1 end, cause = $5,
       next_at = clock_timestamp() + $4::float8 * interval '1 millisecond'
     where c.batch_id = $1::uuid and c.chunk = $2::int and c.state = 'running' and c.admitted_at is null
     returning c.batch_id)
   update millrace.batch_items i set state = 'waiting'
   from back b where i.batch_id = b.batch_id and i.position = any($3::int[]) and i.state = 'running'`,
);

/** $1 batch, $2 the cause: nothing more of it is begun. */
export const haltBatch = named(
  'batches.halt',
  `update millrace.batches set state = 'halted', cause = $2 where id = $1::uuid and state = 'running'`,
);

/** $1 batch. */
export const readState = named(
  'batches.read_state',
  `select state from millrace.batches where id = $1::uuid`,
);

/**
 * $1 how many: chunks under way of which no item is. With items that wait to be run again they are put off, for twice as long each
 * time; otherwise they have ended.
 */
export const settleChunks = named(
  'batches.settle_chunks',
  `with settled as (
     select c.batch_id, c.chunk,
       exists (select from millrace.batch_items i where i.batch_id = c.batch_id and i.chunk = c.chunk and i.state = 'waiting') as is_back
     from millrace.batch_chunks c
     where c.state = 'running' and c.admitted_at is not null
       and not exists (select from millrace.batch_items i where i.batch_id = c.batch_id and i.chunk = c.chunk and i.state = 'running')
     order by c.batch_id, c.chunk limit $1 for update of c skip locked),
   put as (
     update millrace.batch_chunks c
     set state = case when s.is_back then 'waiting' when c.given_up > 0 then 'failed' else 'done' end,
       next_at = case when s.is_back then clock_timestamp()
         + least(coalesce((b.settings::json -> 'retry' ->> 'backoffSeconds')::float8, 60) * 2 ^ (c.attempts - 1), 86400) * interval '1 second' end,
       cause = case when s.is_back or c.given_up > 0 then c.cause end,
       ended_at = case when not s.is_back then clock_timestamp() end
     from settled s join millrace.batches b on b.id = s.batch_id
     where c.batch_id = s.batch_id and c.chunk = s.chunk and c.state = 'running'
     returning c.chunk)
   select count(*)::int as count from put`,
);
