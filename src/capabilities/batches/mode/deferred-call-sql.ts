import { named } from '../../../drivers/sql-database/sql-statement.ts';

/*
 * Every statement about calls that are put off.
 *
 *   waiting ─► sending ─► sent ─► settled ─► (released: the row is gone)
 *      └──────────────────────────────▲ taken back: it never left
 *
 * `sending` is written before requests are handed to the driver of providers' batches, which takes each once: whoever finds such a row hands
 * it over again.
 */

/** A call is reserved right after it was kept, under a lease that is shorter. */
const orphanAge = `interval '1 hour'`;

/**
 * Of which batches calls are sent: items that are begun run to their end, also in a batch that is paused or halted; and messages of one that
 * is over, which an operator had run again.
 */
const sends = `b.state in ('running', 'paused', 'halted', 'succeeded', 'failed')`;

/** Whether anybody waits for the call: its message has not ended. */
const isWanted = (call: string): string =>
  `exists (select from millrace.messages m where m.id = ${call}.message_id and m.state in ('pending', 'leased'))`;

/** $1 rows, of which no two are of one call. */
export const keepCalls = named(
  'batches.keep-deferred-calls',
  `insert into millrace.deferred_calls (call_id, message_id, batch_id, account, model, endpoint, body, body_bytes, estimated_tokens, bounds, state)
   select r.call_id, r.message_id, r.batch_id, r.account, r.model, r.endpoint, r.body, r.body_bytes, r.estimated_tokens, r.bounds, 'waiting'
   from json_to_recordset($1::json) as r (call_id uuid, message_id uuid, batch_id uuid, account text, model text, endpoint text, body text,
     body_bytes int, estimated_tokens bigint, bounds text)
   on conflict (call_id) do nothing`,
);

/** Whether anything has to be done with calls that are put off, or with providers' batches. */
export const findWork = named(
  'batches.find-deferred-work',
  `select exists (select from millrace.deferred_calls where state = 'waiting')
     or exists (select from millrace.deferred_calls where state = 'sending')
     or exists (select from millrace.deferred_calls where state = 'settled')
     or exists (select from millrace.provider_batches where state not in ('closed', 'unresolved')) as is_there`,
);

/**
 * $1 how long the first of a group waits for others, in milliseconds, $2 how many groups. The groups of what can be sent together whose time has come, by steps through their index, however many calls wait.
 */
export const dueGroups = named(
  'batches.due-deferred-groups',
  `with recursive groups as (
     (select d.batch_id, d.account, d.model, d.endpoint, d.kept_at, 1 as place from millrace.deferred_calls d where d.state = 'waiting'
      order by d.batch_id, d.account, d.model, d.endpoint, d.kept_at, d.call_id limit 1)
     union all
     select n.* from groups g cross join lateral (
       select d.batch_id, d.account, d.model, d.endpoint, d.kept_at, g.place + 1 from millrace.deferred_calls d
       where d.state = 'waiting' and (d.batch_id, d.account, d.model, d.endpoint) > (g.batch_id, g.account, g.model, g.endpoint)
       order by d.batch_id, d.account, d.model, d.endpoint, d.kept_at, d.call_id limit 1) n
     where g.place < $2::int)
   select g.batch_id, g.account, g.model, g.endpoint from groups g join millrace.batches b on b.id = g.batch_id
   where ${sends} and g.kept_at <= clock_timestamp() - $1::double precision * interval '1 millisecond'
   order by g.kept_at, g.batch_id, g.account, g.model, g.endpoint`,
);

/**
 * $1 batch, $2 account, $3 model, $4 endpoint, $5 how many, $6 how many bytes of bodies: of the group, the oldest whose calls are reserved and
 * wanted. One that is larger than the bytes goes alone. Answers how many it looked at, and how many of these nobody wants.
 */
export const takeGroup = named(
  'batches.take-deferred-group',
  `with oldest as materialized (
     select d.call_id, d.message_id, d.body_bytes, d.kept_at from millrace.deferred_calls d
     where d.state = 'waiting' and d.batch_id = $1::uuid and d.account = $2 and d.model = $3 and d.endpoint = $4
     order by d.kept_at, d.call_id limit $5::int for update skip locked),
   open as materialized (
     select o.*, ${isWanted('o')} as is_wanted from oldest o join millrace.calls c on c.id = o.call_id where c.state = 'reserved'),
   reserved as materialized (
     select o.call_id, sum(o.body_bytes) over (order by o.kept_at, o.call_id) as bytes, row_number() over (order by o.kept_at, o.call_id) as place
     from open o where o.is_wanted),
   taken as (
     update millrace.deferred_calls d set state = 'sending' from reserved r
     where d.call_id = r.call_id and (r.bytes <= $6::bigint or r.place = 1)
     returning d.call_id),
   -- Kept, and never reserved: nobody waits for it.
   orphans as (
     delete from millrace.deferred_calls d using oldest o
     where d.call_id = o.call_id and o.kept_at < clock_timestamp() - ${orphanAge}
       and not exists (select from millrace.calls c where c.id = o.call_id and c.state = 'reserved'))
   select (select count(*) from taken)::int as taken, (select count(*) from reserved)::int as reserved,
     (select count(*) from open o where not o.is_wanted)::int as unwanted`,
);

/** $1 how many, $2 how many bytes: what was taken and not handed over yet, the oldest first, of one batch and one account. */
export const readSending = named(
  'batches.read-sending-calls',
  `with oldest as (
     select d.call_id, d.account, d.endpoint, d.body, d.estimated_tokens,
       sum(d.body_bytes) over (order by d.kept_at, d.call_id) as bytes, row_number() over (order by d.kept_at, d.call_id) as place
     from millrace.deferred_calls d
     where d.state = 'sending' and (d.batch_id, d.account) = (
       select f.batch_id, f.account from millrace.deferred_calls f where f.state = 'sending' order by f.kept_at, f.call_id limit 1)
     order by d.kept_at, d.call_id limit $1::int)
   select o.call_id, o.account, o.endpoint, o.body, o.estimated_tokens from oldest o
   where o.bytes <= $2::bigint or o.place = 1 order by o.place`,
);

/** $1 calls, $2 the provider batch of each, all of whose calls are of one batch. */
export const markSent = named(
  'batches.mark-deferred-sent',
  `with owned as (
     insert into millrace.provider_batch_owners (provider_batch, batch_id)
     select distinct t.batch, d.batch_id from unnest($1::uuid[], $2::uuid[]) as t (call_id, batch)
     join millrace.deferred_calls d on d.call_id = t.call_id
     on conflict (provider_batch) do nothing)
   update millrace.deferred_calls d set state = 'sent', provider_batch = t.batch, body = null
   from unnest($1::uuid[], $2::uuid[]) as t (call_id, batch) where d.call_id = t.call_id and d.state = 'sending'`,
);

/** $1 calls. What is needed to settle them; those that are settled are left out. */
export const readForSettlement = named(
  'batches.read-deferred-calls',
  `select d.call_id, d.bounds, d.estimated_tokens from millrace.deferred_calls d
   where d.call_id = any($1::uuid[]) and d.state <> 'settled' order by d.call_id for update`,
);

/** $1 calls. */
export const markSettled = named(
  'batches.mark-deferred-settled',
  `update millrace.deferred_calls d set state = 'settled', body = null where d.call_id = any($1::uuid[])`,
);

/**
 * $1 now, $2 how long before their deadlines calls are made at once, in milliseconds, $3 how many batches: those that have calls that are put
 * off, and whose calls are not wanted (the batch is cancelled, or was late) or not in time. By steps through the indexes.
 */
export const recalledBatches = named(
  'batches.recalled-deferred-batches',
  `with recursive waiting as (
     (select d.batch_id, 1 as place from millrace.deferred_calls d where d.state = 'waiting' order by d.batch_id limit 1)
     union all
     select n.batch_id, w.place + 1 from waiting w cross join lateral (
       select d.batch_id from millrace.deferred_calls d where d.state = 'waiting' and d.batch_id > w.batch_id order by d.batch_id limit 1) n
     where w.place < $3::int),
   sent as (
     (select d.batch_id, 1 as place from millrace.deferred_calls d where d.state = 'sent' order by d.batch_id limit 1)
     union all
     select n.batch_id, s.place + 1 from sent s cross join lateral (
       select d.batch_id from millrace.deferred_calls d where d.state = 'sent' and d.batch_id > s.batch_id order by d.batch_id limit 1) n
     where s.place < $3::int)
   select o.batch_id from (select w.batch_id from waiting w union select s.batch_id from sent s) o
   left join millrace.batches b on b.id = o.batch_id
   where b.id is null or b.state in ('cancelling', 'cancelled', 'expired')
     or b.deadline <= $1::timestamptz + $2::double precision * interval '1 millisecond'
   order by o.batch_id`,
);

/**
 * $1 batch, $2 how many. Its calls that wait, to be settled as taken back. One that is not reserved yet is about to be, and is taken back
 * then; or never will be, and is forgotten.
 */
export const lockWaiting = named(
  'batches.lock-waiting-calls',
  `with oldest as materialized (
     select d.call_id, d.bounds, d.estimated_tokens, d.kept_at from millrace.deferred_calls d
     where d.batch_id = $1::uuid and d.state = 'waiting'
     order by d.account, d.model, d.endpoint, d.kept_at, d.call_id limit $2::int for update skip locked),
   orphans as (
     delete from millrace.deferred_calls d using oldest o
     where d.call_id = o.call_id and o.kept_at < clock_timestamp() - ${orphanAge}
       and not exists (select from millrace.calls c where c.id = o.call_id and c.state = 'reserved'))
   select o.call_id, o.bounds, o.estimated_tokens from oldest o
   join millrace.calls c on c.id = o.call_id where c.state = 'reserved' order by o.call_id`,
);

/** $1 batch, $2 account, $3 model, $4 endpoint, $5 how many. Its calls that wait and that nobody wants, to be settled as taken back. */
export const lockUnwanted = named(
  'batches.lock-unwanted-calls',
  `with oldest as materialized (
     select d.call_id, d.message_id, d.bounds, d.estimated_tokens from millrace.deferred_calls d
     where d.state = 'waiting' and d.batch_id = $1::uuid and d.account = $2 and d.model = $3 and d.endpoint = $4
     order by d.kept_at, d.call_id limit $5::int for update skip locked)
   select o.call_id, o.bounds, o.estimated_tokens from oldest o
   join millrace.calls c on c.id = o.call_id where c.state = 'reserved' and not ${isWanted('o')} order by o.call_id`,
);

/** $1 batch. The provider batches of its calls whose end nobody has asked for, by steps through the index. */
export const cancellableBatches = named(
  'batches.cancellable-provider-batches',
  `with recursive sent as (
     (select d.provider_batch from millrace.deferred_calls d where d.state = 'sent' and d.batch_id = $1::uuid order by d.provider_batch limit 1)
     union all
     select (select d.provider_batch from millrace.deferred_calls d
       where d.state = 'sent' and d.batch_id = $1::uuid and d.provider_batch > s.provider_batch order by d.provider_batch limit 1)
     from sent s where s.provider_batch is not null)
   select p.id from sent s join millrace.provider_batches p on p.id = s.provider_batch
   where p.cancel_requested_at is null and p.state in ('planned', 'uploading', 'uploaded', 'creating', 'running') order by p.id`,
);

/**
 * $1 what the names begin with that messages wait for, $2 how many settled calls are looked at. Their messages go on when no other call
 * of theirs is under way; one that is being worked on may be about to wait, and is looked at again.
 */
export const releaseSettled = named(
  'batches.release-settled-calls',
  `with settled as materialized (
     select d.call_id, d.message_id from millrace.deferred_calls d
     where d.state = 'settled' and not exists (select from millrace.messages m where m.id = d.message_id and m.state = 'leased')
     order by d.call_id limit $2::int for update of d skip locked),
   freed as materialized (
     select m.id from millrace.messages m
     where m.id in (select s.message_id from settled s) and m.state = 'pending' and starts_with(m.parked_for, $1)
       and not exists (
         select from millrace.deferred_calls o join millrace.calls c on c.id = o.call_id
         where o.message_id = m.id and o.state <> 'settled' and c.state = 'reserved')
     order by m.id for update of m),
   released as (
     update millrace.messages m set parked_for = null, available_at = clock_timestamp(), sweep_at = 'infinity'
     from freed f where m.id = f.id and m.state = 'pending'
     returning m.id, m.stage),
   forgotten as (delete from millrace.deferred_calls d using settled s where d.call_id = s.call_id)
   select (select count(*) from settled)::int as looked, r.id, r.stage
   from (select 1) one left join released r on true order by r.id`,
);

/** $1 messages. The batches whose items they are; those that are none are left out. */
export const batchesOfMessages = named(
  'batches.batches-of-messages',
  `select i.message_id, i.batch_id from millrace.batch_items i where i.message_id = any($1::uuid[])`,
);

/** $1 message. The batch under which its calls are kept. */
export const batchOfKept = named(
  'batches.batch-of-kept-calls',
  `select d.batch_id from millrace.deferred_calls d where d.message_id = $1::uuid order by d.kept_at desc, d.call_id limit 1`,
);

/** $1 call. How the provider's batch ended that it was in, where that is known still. */
export const readRefusal = named(
  'batches.read-refusal',
  `select o.error_code, o.error_message from millrace.provider_batch_requests r
   join millrace.provider_batch_results o on o.batch_id = r.batch_id and o.place = r.place where r.request_id = $1::uuid::text`,
);

/** $1 batch. What decides how its calls are made. */
export const readMode = named(
  'batches.read-mode',
  `select b.id, b.settings, b.state, b.deadline, coalesce(b.started_at, b.created_at) as began_at
   from millrace.batches b where b.id = $1::uuid`,
);

/** $1 batch, $2 model, $3 mode, $4 reason. The latest choice stands. */
export const noteChoice = named(
  'batches.note-mode-choice',
  `insert into millrace.batch_mode_choices (batch_id, model, mode, reason)
   select b.id, $2, $3, $4 from millrace.batches b where b.id = $1::uuid
   on conflict (batch_id, model) do update set mode = excluded.mode, reason = excluded.reason, decided_at = excluded.decided_at
   where (millrace.batch_mode_choices.mode, millrace.batch_mode_choices.reason) is distinct from (excluded.mode, excluded.reason)`,
);

/** $1 batch. */
export const readChoices = named(
  'batches.read-mode-choices',
  `select c.model, c.mode, c.reason, c.decided_at from millrace.batch_mode_choices c where c.batch_id = $1::uuid order by c.model limit 100`,
);
