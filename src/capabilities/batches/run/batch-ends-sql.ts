import { named } from '../../../drivers/sql-database/sql-statement.ts';
import { batchColumns } from '../batch-rows.ts';
import { isGated, isUnchecked, needsQuality } from '../done/quality-sql.ts';

/* Every statement by which batches halt and end by themselves. Each is guarded by the state that it leaves, so that it happens once. */

const openStates = `('running', 'paused', 'halted', 'cancelling')`;

/** $1 how many: batches whose deadline is over; what is left of them expires. */
export const expireBatches = named(
  'batches.expire',
  `with late as (
     select b.id from millrace.batches b
     where b.state in ('running', 'paused', 'halted') and b.deadline is not null and b.deadline <= clock_timestamp()
     order by b.deadline, b.id limit $1 for update skip locked),
   expiring as (
     update millrace.batches b
     set state = 'cancelling', cause = json_build_object('code', 'deadline', 'detail', 'The deadline of the batch is over.')::text
     from late where b.id = late.id
     returning b.id)
   select count(*)::int as count from expiring`,
);

/** $1 the last one that was looked at, $2 how many: those behind it. */
export const listCancelling = named(
  'batches.list_cancelling',
  `select ${batchColumns} from millrace.batches b where b.state = 'cancelling' and b.id > $1::uuid order by b.id limit $2`,
);

/** $1 batch: what is not admitted of its chunks will not be. Nobody is about to. */
export const stopAdmissions = named(
  'batches.stop_admissions',
  `update millrace.batch_chunks set admitted_at = clock_timestamp() where batch_id = $1::uuid and state = 'running' and admitted_at is null
     and (admitting_until is null or admitting_until < clock_timestamp())`,
);

/** $1 batch, $2 how many: chunks that were not begun, and will not be. */
export const closeChunks = named(
  'batches.close_chunks',
  `with closed as (
     update millrace.batch_chunks c set state = 'done', ended_at = clock_timestamp(), next_at = null
     where c.batch_id = $1::uuid and c.chunk in (
       select w.chunk from millrace.batch_chunks w where w.batch_id = $1::uuid and w.state = 'waiting'
         and not exists (select from millrace.batch_items i where i.batch_id = w.batch_id and i.chunk = w.chunk and i.state in ('waiting', 'running'))
       order by w.chunk limit $2)
     returning c.chunk)
   select count(*)::int as count from closed`,
);

/**
 * $1 how many: batches whose items have all ended, with those that were skipped, end; one whose output is to be checked, when it was. What ended
 * before a cancellation or the deadline came counts as without it: where neither stopped an item or a check, the items decide.
 */
export const finishBatches = named(
  'batches.finish',
  `with complete as (
     select b.id, b.state, b.cause::json ->> 'code' as code, b.succeeded, b.items, b.expired + b.cancelled as stopped,
       b.skipped, b.checks, b.checks_passed, coalesce((b.settings::json -> 'success' ->> 'threshold')::numeric, 100) as threshold,
       ${needsQuality} as gated, ${isUnchecked} as unchecked,
       (b.settings::json -> 'quality' ->> 'minimum')::numeric as minimum, b.settings::json -> 'quality' ->> 'validator' as validator
     from millrace.batches b
     where b.state in ${openStates} and b.succeeded + b.failed + b.expired + b.cancelled + b.skipped >= b.items and not (${isGated} and ${isUnchecked})
     order by b.id limit $1 for update skip locked),
   judged as (
     select c.*, case
       when c.state = 'cancelling' and c.code is distinct from 'deadline' and (c.stopped > 0 or (c.gated and c.unchecked)) then 'cancelled'
       when c.gated and (c.checks = 0 or c.checks_passed * 100 < c.minimum * c.checks) then 'failed'
       when c.succeeded * 100 >= c.threshold * c.items then 'succeeded'
       when c.state = 'cancelling' and c.stopped > 0 then 'expired'
       else 'failed' end as outcome
     from complete c)
   update millrace.batches b
   set state = j.outcome, ended_at = clock_timestamp(), cause = case j.outcome
     when 'succeeded' then null
     when 'failed' then case
       when j.gated then json_build_object('code', 'below_quality', 'detail', case
         when j.checks = 0 then 'There was no item to check.'
         else concat(j.checks_passed, ' of ', j.checks, ' checked items passed "', j.validator, '"; ', j.minimum, ' % are needed.') end)
       else json_build_object('code', 'below_threshold', 'detail',
         concat(j.succeeded, ' of ', j.items, ' items succeeded', case when j.skipped > 0 then concat(' (', j.skipped, ' left out)') end, '; ', j.threshold, ' % are needed.')) end::text
     else b.cause end
   from judged j where b.id = j.id and b.state in ${openStates}
   returning ${batchColumns}`,
);

/**
 * $1 batches of which items have ended: those of which too many failed for one reason halt. What counts is what has ended since the batch
 * was last resumed.
 */
export const tripBatches = named(
  'batches.trip',
  `with worst as (
     select distinct on (b.id) b.id, f.code, f.items - f.counted_from as failed, b.succeeded + b.failed - b.counted_from as ended,
       coalesce((b.settings::json -> 'tripwire' ->> 'share')::numeric, 20) as share,
       coalesce((b.settings::json -> 'tripwire' ->> 'items')::int, 50) as items
     from millrace.batches b join millrace.batch_failures f on f.batch_id = b.id
     where b.id = any($1::uuid[]) and b.state = 'running'
     order by b.id, f.items - f.counted_from desc, f.code)
   update millrace.batches b
   set state = 'halted', cause = json_build_object('code', 'tripwire', 'detail',
     concat(w.failed, ' of ', w.ended, ' ended items failed with ', w.code, ', more than ', w.share, ' %.'))::text
   from worst w
   where b.id = w.id and b.state = 'running' and w.ended >= w.items and w.failed * 100 > w.share * w.ended
   returning ${batchColumns}`,
);
