import { named } from '../../../drivers/sql-database/sql-statement.ts';

/* What a batch does with items that are larger than it allows, while its upload is under way: before it can be started. */

/** The batch while the upload holds it; an upload that would take its place waits until this is done. */
const held = `held as materialized (
     select b.id from millrace.batches b
     where b.id = $1::uuid and b.upload = $2::uuid and b.state = 'receiving' for share)`;

/** $1 batch, $2 a percentile: the least size that so many percent of the items do not exceed; null of no items. */
export const readPercentile = named(
  'batches.read_size_percentile',
  `select percentile_disc($2::float8 / 100) within group (order by i.tokens) as tokens
   from millrace.batch_items i where i.batch_id = $1::uuid and i.state = 'waiting'`,
);

/** $1 batch, $2 the bound: what is above it. */
export const sumAbove = named(
  'batches.sum_above_cap',
  `select count(*)::int as items, coalesce(sum(i.tokens), 0)::text as tokens, coalesce(sum(i.data_bytes), 0)::text as bytes
   from millrace.batch_items i where i.batch_id = $1::uuid and i.state = 'waiting' and i.tokens > $2::int`,
);

/** $1 batch, $2 upload, $3 the bound, $4 the last position seen, $5 how many: items above it, with their data. */
export const readAbove = named(
  'batches.read_above_cap',
  `with ${held}
   select i.position, i.tokens, i.data, i.data_bytes from held h join millrace.batch_items i on i.batch_id = h.id
   where i.state = 'waiting' and i.tokens > $3::int and i.position > $4::int order by i.position limit $5`,
);

/** $1 batch, $2 upload, $3 items that were cut: their data of now. */
export const writeCut = named(
  'batches.write_capped_items',
  `with ${held}
   update millrace.batch_items i set data = r.data, data_bytes = r.data_bytes, tokens = r.tokens, capped_from = i.tokens
   from json_to_recordset($3::json) as r(position int, data text, data_bytes int, tokens int) cross join held h
   where i.batch_id = h.id and i.position = r.position and i.state = 'waiting'`,
);

/** $1 batch, $2 upload, $3 items with why they are left out, $4 the error's code. Their chunks count them as ended. */
export const leaveOut = named(
  'batches.leave_out_capped',
  `with ${held},
   out as (
     update millrace.batch_items i set state = 'skipped', error_code = $4, error_message = r.why, ended_at = clock_timestamp()
     from json_to_recordset($3::json) as r(position int, why text) cross join held h
     where i.batch_id = h.id and i.position = r.position and i.state = 'waiting'
     returning i.chunk),
   chunks as (
     update millrace.batch_chunks c set ended = c.ended + o.items,
       state = case when c.ended + o.items = c.items then 'done' else c.state end,
       ended_at = case when c.ended + o.items = c.items then clock_timestamp() else c.ended_at end
     from (select out.chunk, count(*)::int as items from out group by out.chunk) o
     where c.batch_id = $1::uuid and c.chunk = o.chunk)
   select count(*)::int as count from out`,
);
