import { named } from '../../../drivers/sql-database/sql-statement.ts';
import { recordAction } from '../../../engine/ledger/operator-action.ts';
import { batchColumns } from '../batch-rows.ts';

/*
 * Every statement about batches that come in. Whoever writes items shows the token of the upload: from the moment in which a later
 * upload has taken its place, an earlier one writes nothing and removes nothing.
 */

/** The columns of a batch, and what only the intake knows of it. */
const columns = `${batchColumns}, b.request_digest, b.input_tokens::text as input_tokens, b.input_bytes::text as input_bytes,
  b.input_digest, b.removing_at is not null as is_removing`;

/** $1 id, $2 the only team that the viewer may see. */
export const findBatch = named(
  'batches.find_for_intake',
  `select ${columns} from millrace.batches b where b.id = $1::uuid and ($2::text is null or b.team = $2::text)`,
);

/** $1 team, $2 name. */
export const findNamed = named(
  'batches.find_named',
  `select ${columns} from millrace.batches b where b.team = $1 and b.name = $2`,
);

/**
 * $1 one batch, $2 the audit's id, $3 its detail. Writes nothing and answers nothing when the team has one of this name.
 */
export const createBatch = named(
  'batches.create',
  `with told as materialized (
     select * from json_to_recordset($1::json) as t(id uuid, team text, name text, customer text, feature text, labels text, pipeline text,
       type text, version int, settings text, priority int, deadline timestamptz, actor text, request_digest text)),
   b as (
     insert into millrace.batches (id, team, name, customer, feature, labels, pipeline, type, version, settings, state, priority, deadline, actor, request_digest)
     select t.id, t.team, t.name, t.customer, t.feature, t.labels, t.pipeline, t.type, t.version, t.settings, 'receiving', t.priority, t.deadline, t.actor, t.request_digest
     from told t
     on conflict (team, name) do nothing
     returning *),
   audited as (
     ${recordAction({
       id: '$2::uuid',
       actor: 'b.actor',
       action: "'batches.create'",
       target: "'batch ' || b.name",
       detail: '$3::json',
       reason: "''",
       team: 'b.team',
       from: 'b',
     })})
   select ${columns} from b`,
);

/** $1 id, $2 the token of the upload: it takes the place of every earlier one. Answers nothing when the batch takes no items any more. */
export const beginUpload = named(
  'batches.begin_upload',
  `update millrace.batches b
   set upload = $2::uuid, upload_state = 'receiving', items = 0, chunks = 0, skipped = 0, input_tokens = 0, input_bytes = 0, caps = null,
     input_digest = null,
     received_at = clock_timestamp()
   where b.id = $1::uuid and b.state = 'receiving'
   returning ${columns}`,
);

/** The batch while the upload holds it; an upload that would take its place waits until this is done. */
const held = `held as materialized (
     select b.id from millrace.batches b
     where b.id = $1::uuid and b.upload = $2::uuid and b.state = 'receiving' for share)`;

/** Removes items and chunks of the batch ($1), `limit` of each at most, where `allowed` has a row. */
const removed = (allowed: string, limit: string): string => `items as (
     delete from millrace.batch_items i using (
       select l.position from millrace.batch_items l where l.batch_id = $1::uuid and exists (select from ${allowed}) order by l.position limit ${limit}) o
     where i.batch_id = $1::uuid and i.position = o.position returning 1),
   chunks as (
     delete from millrace.batch_chunks c using (
       select l.chunk from millrace.batch_chunks l where l.batch_id = $1::uuid and exists (select from ${allowed}) order by l.chunk limit ${limit}) o
     where c.batch_id = $1::uuid and c.chunk = o.chunk returning 1)`;

/** $1 id, $2 upload, $3 how many: removes items and chunks, and says whether there may be more, and whether the upload is still the one. */
export const clearItems = named(
  'batches.clear_items',
  `with ${held},
   ${removed('held', '$3')}
   select (select count(*)::int from held) as held, greatest((select count(*) from items), (select count(*) from chunks))::int as removed`,
);

/**
 * $1 id, $2 upload, $3 items, $4 chunks that are complete. Answers the positions of the items whose ids are there already, which are not
 * written; and whether the upload is still the one.
 */
export const writeItems = named(
  'batches.write_items',
  `with ${held},
   told as materialized (
     select * from json_to_recordset($3::json) as r(position int, item_id text, chunk int, message_id uuid, customer text, team text, labels text,
       data text, data_bytes int, tokens int, state text, error_code text, error_message text)),
   chunks as (
     insert into millrace.batch_chunks (batch_id, chunk, first_position, items, ended, state, ended_at)
     select h.id, r.chunk, r.first_position, r.items, r.skipped, case when r.skipped = r.items then 'done' else 'waiting' end,
       case when r.skipped = r.items then clock_timestamp() end
     from json_to_recordset($4::json) as r(chunk int, first_position int, items int, skipped int) cross join held h
     order by r.chunk),
   written as (
     insert into millrace.batch_items (batch_id, position, item_id, chunk, message_id, customer, team, labels, data, data_bytes, tokens, state,
       error_code, error_message, ended_at)
     select h.id, t.position, t.item_id, t.chunk, t.message_id, t.customer, t.team, t.labels, t.data, t.data_bytes, t.tokens, t.state,
       t.error_code, t.error_message, case when t.state = 'skipped' then clock_timestamp() end
     from told t cross join held h order by t.position
     on conflict (batch_id, item_id) do nothing
     returning position)
   select h.held, d.position
   from (select count(*)::int as held from held) h
   left join lateral (
     select t.position from told t where h.held > 0 and not exists (select from written w where w.position = t.position)) d on true
   order by d.position`,
);

/** $1 id, $2 ids of items: the positions that have them. */
export const positionsOfIds = named(
  'batches.positions_of_ids',
  `select i.item_id, i.position from millrace.batch_items i where i.batch_id = $1::uuid and i.item_id = any($2::text[]) order by i.position`,
);

/** $1 id, $2 upload, $3 'complete' or 'faulty', $4 items, $5 chunks, $6 skipped ones, $7 tokens, $8 bytes, $9 what its rule for large items came to, $10 its digest. Answers nothing for an upload that is not the one any more. */
export const endUpload = named(
  'batches.end_upload',
  `update millrace.batches b
   set upload_state = $3, items = $4::int, chunks = $5::int, skipped = $6::int, input_tokens = $7::bigint, input_bytes = $8::bigint, caps = $9, input_digest = $10,
     received_at = clock_timestamp()
   where b.id = $1::uuid and b.upload = $2::uuid and b.upload_state = 'receiving' and b.state = 'receiving'
   returning ${columns}`,
);

const changed = (action: string, detail: string): string => `audited as (
     ${recordAction({
       id: '$2::uuid',
       actor: '$3',
       action: `'${action}'`,
       target: "'batch ' || b.name",
       affected: 'b.items',
       detail,
       reason: '$4',
       team: 'b.team',
       from: 'b',
     })})`;

/** $1 id, $2 the audit's id, $3 actor, $4 reason, $5 whether budgets were passed over: a batch with a complete upload runs. Answers nothing for any other. */
export const startBatch = named(
  'batches.start',
  `with b as (
     update millrace.batches set state = 'running', started_at = clock_timestamp()
     where id = $1::uuid and state = 'receiving' and upload_state = 'complete' and items > skipped and (deadline is null or deadline > clock_timestamp())
     returning *),
   ${changed(
     'batches.start',
     "json_strip_nulls(json_build_object('items', b.items, 'chunks', b.chunks, 'skipped', b.skipped, 'forced', nullif($5::boolean, false)))",
   )}
   select ${columns} from b`,
);

/**
 * $1 id, $2 the audit's id, $3 actor, $4 reason: a batch that is not started takes no items any more, whoever sends them. Answers nothing for
 * any other.
 */
export const discardBatch = named(
  'batches.discard',
  `with b as (
     update millrace.batches set state = 'cancelled', cause = '{"code":"discarded","detail":"It was discarded before it was started."}',
       ended_at = clock_timestamp(), removing_at = clock_timestamp(), upload = null, upload_state = 'none'
     where id = $1::uuid and state = 'receiving'
     returning *),
   ${changed('batches.discard', "json_build_object('items', b.items)")}
   select b.id from b`,
);

/** One that somebody has begun to remove. */
const isMarked = `b.id = $1::uuid and b.removing_at is not null`;

/** $1 id, $2 how many: removes items and chunks of a batch that is being removed. */
export const clearRemoved = named(
  'batches.clear_removed',
  `with marked as materialized (select b.id from millrace.batches b where ${isMarked}),
   ${removed('marked', '$2')}
   select greatest((select count(*) from items), (select count(*) from chunks))::int as removed`,
);

/** $1 id: removes a batch that is being removed, whose items are gone. */
export const removeCleared = named(
  'batches.remove_cleared',
  `delete from millrace.batches b where ${isMarked}`,
);
