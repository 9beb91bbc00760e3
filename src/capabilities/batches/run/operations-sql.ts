import { named } from '../../../drivers/sql-database/sql-statement.ts';
import { recordAction } from '../../../engine/ledger/operator-action.ts';
import { batchColumns } from '../batch-rows.ts';

/*
 * Every statement by which operators change batches. The first parameters of each: $1 batch, $2 the only team that the operator may touch,
 * $3 the audit's id, $4 the actor, $5 the reason, $6 the states in which it may be done. What is changed and the record of it stand or fall
 * together.
 */

const chosen = `chosen as (
     select b.* from millrace.batches b
     where b.id = $1::uuid and ($2::text is null or b.team = $2::text) and b.state = any($6::text[]) and b.removing_at is null for update)`;

const audited = (action: string, from: string, detail: string, affected = '1'): string => `audited as (
     ${recordAction({
       id: '$3::uuid',
       actor: '$4',
       action: `'batches.${action}'`,
       target: `concat('batch ', ${from}.name)`,
       affected,
       detail,
       reason: '$5',
       team: `${from}.team`,
       from,
     })})`;

const stateDetail = (from: string): string =>
  `json_build_object('batch', ${from}.id, 'from', ${from}.was, 'to', ${from}.state)`;

export const pauseBatch = named(
  'batches.pause',
  `with ${chosen},
   changed as (
     update millrace.batches b set state = 'paused', cause = null from chosen c where b.id = c.id returning b.*, c.state as was),
   ${audited('pause', 'changed', stateDetail('changed'))}
   select ${batchColumns} from changed b`,
);

/** Whether the chosen batch halted because nobody had its validator. */
const lacksValidator = `(c.state = 'halted' and c.cause is not null and c.cause::json ->> 'code' = 'validator_missing')`;

/** Whether the chosen batch has failed by what was checked of its output. */
const isBelowQuality = `(c.state = 'failed' and c.cause is not null and c.cause::json ->> 'code' = 'below_quality')`;

/** Checks of the chosen batches that are forgotten, so that a sample is drawn anew. */
const uncheck = (when: string): string => `unchecked as (
     update millrace.batch_items i set check_state = null, check_reason = null
     from chosen c where i.batch_id = c.id and i.check_state is not null and i.state = 'succeeded' and ${when})`;

/**
 * What a batch that halted has to forget: the tripwire counts anew, its chunks have all their attempts again, and where its validator was
 * missing, what another version of that may have found.
 */
export const resumeBatch = named(
  'batches.resume',
  `with ${chosen},
   changed as (
     update millrace.batches b
     set state = 'running', cause = null, counted_from = case when c.state = 'halted' then b.succeeded + b.failed else b.counted_from end,
       checks = case when ${lacksValidator} then null else b.checks end, checks_passed = case when ${lacksValidator} then 0 else b.checks_passed end,
       checks_failed = case when ${lacksValidator} then 0 else b.checks_failed end
     from chosen c where b.id = c.id returning b.*, c.state as was),
   ${uncheck(lacksValidator)},
   failures as (
     update millrace.batch_failures f set counted_from = f.items from changed c where f.batch_id = c.id and c.was = 'halted'),
   chunks as (
     update millrace.batch_chunks k set attempts = 0, next_at = null
     from changed c where k.batch_id = c.id and c.was = 'halted' and k.state = 'waiting' and (k.attempts > 0 or k.next_at is not null)),
   ${audited('resume', 'changed', stateDetail('changed'))}
   select ${batchColumns} from changed b`,
);

/** $7 the cause. */
export const cancelBatch = named(
  'batches.cancel',
  `with ${chosen},
   changed as (
     update millrace.batches b set state = 'cancelling', cause = $7 from chosen c where b.id = c.id returning b.*, c.state as was),
   ${audited('cancel', 'changed', stateDetail('changed'))}
   select ${batchColumns} from changed b`,
);

/** $7 the priority or null, $8 whether the deadline changes, $9 the new one or null. */
export const changeBatch = named(
  'batches.change',
  `with ${chosen},
   changed as (
     update millrace.batches b
     set priority = coalesce($7::int, b.priority), deadline = case when $8::boolean then $9::timestamptz else b.deadline end,
       received_at = clock_timestamp()
     from chosen c where b.id = c.id returning b.*, c.priority as old_priority, c.deadline as old_deadline),
   ${audited(
     'change',
     'changed',
     `json_strip_nulls(json_build_object('batch', changed.id,
        'priority', case when $7::int is not null then json_build_object('from', changed.old_priority, 'to', changed.priority) end,
        'deadline', case when $8::boolean then json_build_object('from', coalesce(changed.old_deadline::text, 'none'), 'to', coalesce(changed.deadline::text, 'none')) end))`,
   )}
   select ${batchColumns} from changed b`,
);

/** Whether a message of the item's tree was cancelled: it cannot live again, so the item is run anew under another one. */
const isCancelled = (
  item: string,
): string => `exists (select from millrace.messages m where m.id = ${item}.message_id and m.state = 'cancelled')
     or exists (select from millrace.messages m where m.root_id = ${item}.message_id and m.parent_id is not null and m.state = 'cancelled')`;

/**
 * Items that failed, expired or were cancelled wait again, and what they counted for is taken back. Those whose data was erased stay
 * as they are; a sample of the output is drawn anew. Where there are none, nothing changes but a batch that its quality let fail: it is checked anew. Every count changes by what is taken back, from what it is by then: while the statement waits
 * for the batch's row, other ends may be recorded, which it has not seen. A reason of which nothing is left stays, with 0.
 */
export const retryBatch = named(
  'batches.retry',
  `with ${chosen},
   ended as (
     select i.batch_id, i.position, i.chunk, i.state, i.error_code, i.cost_usd, i.unpriced from chosen c join millrace.batch_items i on i.batch_id = c.id
     where i.state in ('failed', 'expired', 'cancelled') and i.data is not null for update of i),
   again as (
     update millrace.batch_items i
     set state = 'waiting', error_code = null, error_message = null, attempts = null, output = null, ended_at = null, cost_usd = null, unpriced = 0,
       input_tokens = null, output_tokens = null, run = i.run + case when ${isCancelled('i')} then 1 else 0 end
     from ended e where i.batch_id = e.batch_id and i.position = e.position
     returning i.position),
   ${uncheck(`(${isBelowQuality} or exists (select from ended))`)},
   chunks as (
     update millrace.batch_chunks k
     set state = 'waiting', attempts = 0, next_at = null, cause = null, admitted_at = null, ended_at = null,
       given_up = 0, ended = k.ended - s.ended, failed = k.failed - s.failed
     from (select batch_id, chunk, count(*)::int as ended, count(*) filter (where state = 'failed')::int as failed from ended group by batch_id, chunk) s
     where k.batch_id = s.batch_id and k.chunk = s.chunk),
   reasons as (
     select f.batch_id, f.code, coalesce(s.items, 0) as again
     from millrace.batch_failures f join chosen c on c.id = f.batch_id
     left join (select error_code, count(*)::int as items from ended where state = 'failed' group by error_code) s on s.error_code = f.code),
   reduced as (
     update millrace.batch_failures f set items = f.items - r.again, counted_from = f.items - r.again
     from reasons r where f.batch_id = r.batch_id and f.code = r.code),
   changed as (
     update millrace.batches b
     set state = 'running', cause = null, ended_at = null, failed = b.failed - s.failed, expired = b.expired - s.expired,
       cancelled = b.cancelled - s.cancelled, cost_usd = b.cost_usd - s.cost_usd, unpriced = b.unpriced - s.unpriced,
       checks = null, checks_passed = 0, checks_failed = 0,
       deadline = case when b.deadline > clock_timestamp() then b.deadline end, counted_from = b.succeeded + b.failed - s.failed
     from (
       select count(*)::int as items, count(*) filter (where state = 'failed')::int as failed, count(*) filter (where state = 'expired')::int as expired,
         count(*) filter (where state = 'cancelled')::int as cancelled, coalesce(sum(cost_usd), 0) as cost_usd, coalesce(sum(unpriced), 0)::int as unpriced
       from ended) s, chosen c
     where b.id = c.id and (s.items > 0 or ${isBelowQuality})
     returning b.*, s.items as again, c.state as was),
   ${audited('retry', 'changed', `json_build_object('batch', changed.id, 'from', changed.was, 'to', changed.state)`, 'again')}
   select ${batchColumns}, b.again from changed b`,
);
