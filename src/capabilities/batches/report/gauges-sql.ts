import { named } from '../../../drivers/sql-database/sql-statement.ts';

/*
 * What is read of batches at a scrape, every few seconds: by indexes of what is open, and up to limits, so that no reading costs more
 * because more waits or has been.
 */

/** How much one reading looks at. */
const gaugeLimits = {
  batches: 1000,
  chunks: 5000,
  quiet: 20,
  items: 100,
  waitingChunks: 200,
} as const;

const ended = 'b.succeeded + b.failed + b.expired + b.cancelled + b.skipped';

/** Whether batch `o` ends after its deadline at the rate of before; with nothing ended yet, whether half of its time is over. */
const isLate = `o.state = 'running' and o.deadline is not null and o.ended < o.items and case
       when clock_timestamp() >= o.deadline then true
       when o.ended > o.skipped then clock_timestamp() + (clock_timestamp() - o.started_at) * ((o.items - o.ended)::float8 / (o.ended - o.skipped)) > o.deadline
       else clock_timestamp() - o.started_at > (o.deadline - o.started_at) / 2 end`;

/** Whether message `m` is open and waits for something that has a name: being set aside behind another one is none. */
const waits = `m.sweep_at is not null and (m.parked_for is not null and m.parked_for <> 'order' or m.state = 'pending' and m.available_at > clock_timestamp())`;

/** Open batches by their state, with the sums of their items; and what of them stands still, is late or old. One row. */
export const readOpenBatches = named(
  'batches.read_open_for_gauges',
  `with open as materialized (
     select b.id, b.state, b.deadline, b.started_at, b.progressed_at, b.items, b.succeeded, b.failed, b.expired, b.cancelled, b.skipped, ${ended} as ended
     from millrace.batches b where b.state in ('running', 'paused', 'halted', 'cancelling')
     order by b.priority desc, b.started_at, b.id limit ${gaugeLimits.batches}),
   quietest as materialized (
     select o.id, extract(epoch from clock_timestamp() - greatest(o.progressed_at, o.started_at))::float8 as seconds
     from open o where o.state = 'running' order by greatest(o.progressed_at, o.started_at), o.id limit ${gaugeLimits.quiet}),
   quiet as (
     select q.seconds from quietest q
     where not exists (
         select from (
           select c.next_at from millrace.batch_chunks c where c.batch_id = q.id and c.state = 'waiting'
           order by c.chunk limit ${gaugeLimits.waitingChunks}) c
         where c.next_at > clock_timestamp())
       and not exists (
         select from (
           select i.message_id from millrace.batch_items i where i.batch_id = q.id and i.state = 'running'
           order by i.chunk, i.position limit ${gaugeLimits.items}) i
         where exists (select from millrace.messages m where m.id = i.message_id and ${waits})
           or exists (select from millrace.messages m where m.root_id = i.message_id and m.parent_id is not null and ${waits})))
   select (count(*) filter (where o.state = 'running'))::int as running, (count(*) filter (where o.state = 'paused'))::int as paused,
     (count(*) filter (where o.state = 'halted'))::int as halted, (count(*) filter (where o.state = 'cancelling'))::int as cancelling,
     coalesce(sum(o.items - o.ended), 0)::float8 as open_items, coalesce(sum(o.succeeded), 0)::float8 as succeeded,
     coalesce(sum(o.failed), 0)::float8 as failed, coalesce(sum(o.expired), 0)::float8 as expired,
     coalesce(sum(o.cancelled), 0)::float8 as cancelled, coalesce(sum(o.skipped), 0)::float8 as skipped,
     (count(*) filter (where ${isLate}))::int as late,
     coalesce(extract(epoch from clock_timestamp() - min(o.started_at)), 0)::float8 as oldest_seconds,
     coalesce((select max(q.seconds) from quiet q), 0) as quiet_seconds,
     (select count(*)::int from (select from millrace.batches r where r.state = 'receiving' limit ${gaugeLimits.batches}) r) as receiving
   from open o`,
);

/** By the index of the state, once for each open batch (`order by` and `offset 0` keep it so): chunks of batches that are over are not read. */
const chunksIn = (
  state: string,
): string => `select c.items - c.ended as open_items from open o cross join lateral (
       select c.items, c.ended from millrace.batch_chunks c where c.batch_id = o.id and c.state = '${state}' order by c.batch_id, c.chunk offset 0) c
       limit ${gaugeLimits.chunks}`;

/** Chunks of open batches by their state, and the items of those that are under way. One row. */
export const readChunks = named(
  'batches.read_chunks_for_gauges',
  `with open as materialized (
     select b.id from millrace.batches b where b.state in ('running', 'paused', 'halted', 'cancelling')
     order by b.priority desc, b.started_at, b.id limit ${gaugeLimits.batches}),
   running as materialized (${chunksIn('running')})
   select (select count(*)::int from (${chunksIn('waiting')}) w) as waiting,
     (select count(*)::int from running) as running,
     (select coalesce(sum(r.open_items), 0)::float8 from running r) as running_items,
     (select count(*)::int from (${chunksIn('failed')}) f) as failed`,
);

/** Batches at providers by their state, with the age of the oldest one that goes on by itself, and for how long one has been hindered. */
export const readProviderBatches = named(
  'provider-batches.read_for_gauges',
  `select o.state, count(*)::int as batches,
     coalesce(extract(epoch from clock_timestamp() - min(o.planned_at)), 0)::float8 as oldest_seconds,
     coalesce(extract(epoch from clock_timestamp() - min(o.hindered_since)), 0)::float8 as hindered_seconds
   from (
     (select p.state, p.planned_at, p.hindered_since from millrace.provider_batches p where p.state not in ('closed', 'unresolved')
      order by p.next_at, p.id limit ${gaugeLimits.batches})
     union all
     (select p.state, p.planned_at, null::timestamptz from millrace.provider_batches p where p.state = 'unresolved'
      order by p.planned_at, p.id limit ${gaugeLimits.batches})) o
   group by o.state`,
);
