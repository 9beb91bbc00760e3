import { named } from '../../../drivers/sql-database/sql-statement.ts';
import { batchColumns } from '../batch-rows.ts';

/* Every statement that reads batches, for people and programs. Of a batch's items one who is bound to a team sees that team's only. */

/** $1 the only team, $2 states, $3 pipelines, $4 and $5 the place of the last one seen, $6 how many: the newest first. */
export const listBatches = named(
  'batches.list',
  `select ${batchColumns}, (extract(epoch from b.created_at) * 1000000)::bigint::text as created_us from millrace.batches b
   where ($1::text is null or b.team = $1::text) and ($2::text[] is null or b.state = any($2::text[]))
     and ($3::text[] is null or b.pipeline = any($3::text[]))
     and ($4::bigint is null or (b.created_at, b.id) < (timestamptz 'epoch' + $4::bigint * interval '1 microsecond', $5::uuid))
   order by b.created_at desc, b.id desc limit $6`,
);

/** $1 id or null, $2 name, $3 the only team: two teams may have batches of one name. */
export const findBatches = named(
  'batches.find',
  `select ${batchColumns} from millrace.batches b
   where ($3::text is null or b.team = $3::text) and (b.id = $1::uuid or ($1::uuid is null and b.name = $2::text))
   order by b.id limit 2`,
);

/** $1 batch, $2 the last chunk seen, $3 how many: chunks beside each other in the same state, as one row. */
export const listChunks = named(
  'batches.list_chunks',
  `select min(c.chunk) as first, max(c.chunk) as last, c.state, sum(c.items)::int as items, sum(c.ended)::int as ended, sum(c.failed)::int as failed,
     max(c.attempts) as attempts, min(c.next_at) as next_at, c.cause
   from (
     select c.*, c.chunk - row_number() over (partition by c.state, c.cause order by c.chunk) as island
     from millrace.batch_chunks c where c.batch_id = $1::uuid and c.chunk > $2::int) c
   group by c.state, c.cause, c.island order by min(c.chunk), 1 limit $3`,
);

const ofViewer = `($2::text is null or coalesce(i.team, $3::text) = $2::text)`;

/** $1 batch, $2 the only team, $3 the batch's, $4 states, $5 the last position seen, $6 how many, $7 states of checks. */
export const listItems = named(
  'batches.list_items',
  `select i.position, i.item_id, i.chunk, i.message_id, i.customer, i.team, i.state, i.attempts, i.error_code, i.error_message, i.data,
     i.cost_usd::text as cost_usd, i.unpriced, i.input_tokens, i.output_tokens, i.ended_at, i.check_state, i.check_reason
   from millrace.batch_items i
   where i.batch_id = $1::uuid and i.position > $5::int and ${ofViewer} and ($4::text[] is null or i.state = any($4::text[]))
     and ($7::text[] is null or i.check_state = any($7::text[]))
   order by i.position limit $6`,
);

/** As many of the rows as are not larger than $6 bytes together, and one at least. */
const page = (size: string, condition: string): string => `page as (
     select r.position, sum(r.bytes) over (order by r.position) as bytes, row_number() over (order by r.position) as nth
     from (
       select i.position, coalesce(octet_length(i.${size}), 0) as bytes from millrace.batch_items i
       where i.batch_id = $1::uuid and i.position > $4::int and ${ofViewer} and ${condition}
       order by i.position limit $5) r)`;
const fits = `(p.bytes <= $6::int8 or p.nth = 1)`;

/** $1 batch, $2 the only team, $3 the batch's, $4 the last position seen, $5 how many, $6 how many bytes: items that have ended. */
export const readOutput = named(
  'batches.read_output',
  `with ${page('output', `i.state in ('succeeded', 'failed', 'expired', 'cancelled', 'skipped')`)}
   select i.position, i.item_id, i.state, i.error_code, i.error_message, i.attempts, i.output, i.tokens, i.capped_from, i.cost_usd::text as cost_usd, i.unpriced, i.input_tokens, i.output_tokens
   from page p join millrace.batch_items i on i.batch_id = $1::uuid and i.position = p.position
   where ${fits} order by i.position`,
);

/** Parameters as for the output: items that did not succeed, as they were sent. */
export const readFailed = named(
  'batches.read_failed_items',
  `with ${page('data', `i.state in ('failed', 'expired', 'cancelled', 'skipped')`)}
   select i.position, i.item_id, i.customer, i.team, i.labels, i.data, i.state, i.error_code, i.error_message
   from page p join millrace.batch_items i on i.batch_id = $1::uuid and i.position = p.position
   where ${fits} order by i.position`,
);
