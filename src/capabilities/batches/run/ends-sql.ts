import { named } from '../../../drivers/sql-database/sql-statement.ts';
import { hasOpen, hasOpenCall, trees } from '../../../engine/ledger/tree-sql.ts';

/*
 * Every statement by which the ends of items are found and recorded. An item has ended when its message is there, neither that nor
 * anything that followed from it is open, and no call of these is: what a call costs is known once it is settled. A call always is: by its
 * maker, by the sweep that finds it abandoned, or by whoever keeps calls that are put off.
 */

/** Whether the item's chunk is not just being admitted: dead letters of an earlier attempt may be about to live again. */
const isAdmitted = (
  item: string,
): string => `coalesce((select c.admitted_at is not null or c.state <> 'running' from millrace.batch_chunks c
       where c.batch_id = ${item}.batch_id and c.chunk = ${item}.chunk limit 1), false)`;

/** The items of a batch ($1) that are under way, by index. */
const underWay = `under_way as materialized (
     select i.batch_id, i.chunk, i.position, i.item_id, i.message_id from millrace.batch_items i
     where i.state = 'running' and i.batch_id = $1::uuid order by i.batch_id, i.chunk, i.position)`;

/**
 * $1 batch, $2 chunk, $3 position of the last item that was looked at, $4 how many are looked at, $5 how many ended ones at most. Rows
 * come with the last place that was looked at, one without an item where none has ended.
 */
export const findEnded = named(
  'batches.find_ended_items',
  `with looked as materialized (
     select i.batch_id, i.chunk, i.position, i.item_id, i.message_id from millrace.batch_items i
     where i.state = 'running' and (i.batch_id, i.chunk, i.position) > ($1::uuid, $2::int, $3::int)
     order by i.batch_id, i.chunk, i.position limit $4),
   done as materialized (
     select l.* from looked l cross join lateral (select m.sweep_at from millrace.messages m where m.id = l.message_id offset 0) m
     where m.sweep_at is null),
   ended as materialized (
     select l.* from done l
     where ${isAdmitted('l')} and not ${hasOpen('l.message_id')} and not ${hasOpenCall('l.message_id')}
     order by l.batch_id, l.chunk, l.position limit $5)
   select p.batch_id as last_batch, p.chunk as last_chunk, p.position as last_position, n.looked,
     e.batch_id, e.chunk, e.position, e.item_id, e.message_id, s.bytes
   from (select count(*)::int as looked from looked) n
   left join (select batch_id, chunk, position from looked order by batch_id desc, chunk desc, position desc limit 1) p on true
   left join ended e on true
   left join lateral (
     select coalesce(sum(case when t.stage = '' then t.body_bytes else octet_length(t.result) end), 0)::int8::text as bytes
     from (select m.stage, m.body_bytes, m.result from millrace.messages m where m.id = e.message_id
       union all
       select m.stage, m.body_bytes, m.result from millrace.messages m where m.root_id = e.message_id and m.parent_id is not null and m.branch_id is null) t) s on true
   order by e.batch_id, e.chunk, e.position`,
);

/** $1 batch, $2 how many: its items that wait, and of which nothing is open that was admitted before. */
export const listWaiting = named(
  'batches.list_waiting_items',
  `select i.batch_id, i.chunk, i.position, i.item_id, i.message_id, '0' as bytes from millrace.batch_items i
   where i.batch_id = $1::uuid and i.state = 'waiting'
     and not coalesce((select true from millrace.messages m where m.id = i.message_id and m.sweep_at is not null limit 1), false)
     and not ${hasOpen('i.message_id')} and not ${hasOpenCall('i.message_id')}
   order by i.chunk, i.position limit $2`,
);

/** $1 batch, $2 how many: its items that are under way, and whose messages were never admitted. */
export const listNeverAdmitted = named(
  'batches.list_never_admitted_items',
  `with ${underWay}
   select i.*, '0' as bytes from under_way i
   where ${isAdmitted('i')} and not coalesce((select true from millrace.messages m where m.id = i.message_id limit 1), false)
   order by i.chunk, i.position limit $2`,
);

/** $1 batch, $2 how many: messages of its items that are open. An item whose chunk was put back can wait while its message lives again. */
export const listOpenMessages = named(
  'batches.list_open_messages',
  `with ${underWay},
   either as (
     select u.message_id from under_way u
     union all
     select i.message_id from millrace.batch_items i where i.batch_id = $1::uuid and i.state = 'waiting')
   select o.id from either i cross join lateral (
     select m.id from millrace.messages m where m.id = i.message_id and m.sweep_at is not null
     union all
     select m.id from millrace.messages m where m.root_id = i.message_id and m.parent_id is not null and m.sweep_at is not null) o
   limit $2`,
);

/** $1 chunks as JSON: how often each was begun, and what its batch says about that. */
export const readRules = named(
  'batches.read_end_rules',
  `select c.batch_id, c.chunk, c.attempts, c.begun, b.state, b.cause, coalesce((b.settings::json -> 'retry' ->> 'chunks')::int, 3) as retries
   from (select distinct batch_id, chunk from json_to_recordset($1::json) as r(batch_id uuid, chunk int)) r
   join millrace.batch_chunks c on c.batch_id = r.batch_id and c.chunk = r.chunk join millrace.batches b on b.id = c.batch_id`,
);

/** $1 roots: the good answers. Of each place of a handler the latest one counts; the others were asked for once more. */
export const readAnswers = named(
  'batches.read_answers',
  `with ${trees('m.id, m.root_id')}
   select t.root_id, c.id, c.cost_usd::text as cost_usd, c.tokens, c.settlement <> 'free' as is_billed,
     row_number() over (partition by t.id, c.step, c.ordinal order by c.attempt desc, c.fencing_token desc, c.id desc) = 1 as is_used
   from tree t cross join lateral (
     select c.* from millrace.calls c where c.message_id = t.id offset 0) c
   where c.state = 'settled' and c.outcome = 'ok' and c.invalidated_at is null`,
);

/**
 * $1 ends. Each is taken while the item is as it was read (in its state, with this message, in this attempt of its chunk; one that waits, in a
 * batch that is being cancelled), and counted in its chunk, its batch and the batch's failures in the same statement: so each item counts once, however many compose its end. Answers the batches of which items ended, and how many ended how.
 */
export const recordEnds = named(
  'batches.record_ends',
  `with told as materialized (
     select * from json_to_recordset($1::json) as r(batch_id uuid, position int, message_id uuid, begun int, was text, state text,
       error_code text, error_message text, attempts int, output text, cost_usd numeric, unpriced int, input_tokens bigint, output_tokens bigint, is_given_up boolean, cause text)),
   changed as (
     update millrace.batch_items i
     set state = t.state, error_code = t.error_code, error_message = t.error_message, attempts = t.attempts, output = t.output,
       cost_usd = t.cost_usd, unpriced = coalesce(t.unpriced, 0), input_tokens = t.input_tokens, output_tokens = t.output_tokens,
       data = case when t.state <> 'succeeded' then i.data end, ended_at = case when t.state <> 'waiting' then clock_timestamp() end
     from told t where i.batch_id = t.batch_id and i.position = t.position and i.state = t.was and i.message_id = t.message_id
       and coalesce((select c.begun from millrace.batch_chunks c where c.batch_id = i.batch_id and c.chunk = i.chunk limit 1) = t.begun, false)
       and (t.was <> 'waiting' or coalesce((select b.state from millrace.batches b where b.id = i.batch_id limit 1) = 'cancelling', false))
     returning i.batch_id, i.chunk, i.state, i.error_code, i.cost_usd, i.unpriced, t.is_given_up, t.cause),
   chunks as (
     update millrace.batch_chunks c
     set ended = c.ended + s.ended, failed = c.failed + s.failed, given_up = c.given_up + s.given_up, cause = coalesce(s.cause, c.cause)
     from (
       select batch_id, chunk, count(*) filter (where state <> 'waiting')::int as ended, count(*) filter (where state = 'failed')::int as failed,
         count(*) filter (where is_given_up)::int as given_up, min(cause) as cause
       from changed group by batch_id, chunk) s
     where c.batch_id = s.batch_id and c.chunk = s.chunk),
   failures as (
     insert into millrace.batch_failures (batch_id, code, items)
     select batch_id, error_code, count(*)::int from changed where state = 'failed' group by batch_id, error_code order by batch_id, error_code
     on conflict (batch_id, code) do update set items = millrace.batch_failures.items + excluded.items),
   counted as (
     update millrace.batches b
     set succeeded = b.succeeded + s.succeeded, failed = b.failed + s.failed, expired = b.expired + s.expired, cancelled = b.cancelled + s.cancelled,
       cost_usd = b.cost_usd + s.cost_usd, unpriced = b.unpriced + s.unpriced
     from (
       select batch_id, count(*) filter (where state = 'succeeded')::int as succeeded, count(*) filter (where state = 'failed')::int as failed,
         count(*) filter (where state = 'expired')::int as expired, count(*) filter (where state = 'cancelled')::int as cancelled,
         coalesce(sum(cost_usd), 0) as cost_usd, sum(unpriced)::int as unpriced
       from changed where state <> 'waiting' group by batch_id) s
     where b.id = s.batch_id
     returning b.id)
   select c.id, null::text as ended_as, 0 as items from counted c
   union all
   select null, i.state, count(*)::int from changed i where i.state <> 'waiting' group by i.state`,
);
