import { named } from '../../../drivers/sql-database/sql-statement.ts';
import { batchColumns } from '../batch-rows.ts';
import { maxChecks } from './quality-settings.ts';

/*
 * The checks of a batch's quality. Items are drawn once, each check is recorded once, and a batch waits for them in the state that it
 * has: whatever dies in between goes on with the checks that are open.
 */

const openStates = `('running', 'paused', 'halted', 'cancelling')`;
const threshold = `coalesce((b.settings::json -> 'success' ->> 'threshold')::numeric, 100)`;

/** Whether batch `b` names a validator, and would succeed without one. */
export const needsQuality = `(b.settings::json -> 'quality' is not null and b.succeeded * 100 >= ${threshold} * b.items)`;

/** Whether the end of such a batch waits for its checks: that of one that an operator cancels does not. */
export const isGated = `(${needsQuality} and (b.state <> 'cancelling' or b.cause::json ->> 'code' = 'deadline'))`;

/** Whether checks of batch `b` are to come. */
export const isUnchecked = `(b.checks is null or b.checks_passed + b.checks_failed < b.checks)`;

const isComplete = `b.state in ${openStates} and b.succeeded + b.failed + b.expired + b.cancelled + b.skipped >= b.items`;
const validator = `b.settings::json -> 'quality' ->> 'validator'`;

/** $1 the validators that there are, $2 how many: batches whose items have all ended and are to be checked. */
export const listUnchecked = named(
  'batches.list_unchecked',
  `select b.id, b.team, b.name, ${validator} as validator, (b.settings::json -> 'quality')::text as quality, b.checks is not null as is_drawn
   from millrace.batches b
   where ${isComplete} and ${isGated} and ${isUnchecked} and ${validator} = any($1::text[])
   order by b.id limit $2`,
);

/** $1 the validators that there are: batches that name another one halt when their items have ended. One past its deadline waits. */
export const haltUncheckable = named(
  'batches.halt_uncheckable',
  `update millrace.batches b
   set state = 'halted', cause = json_build_object('code', 'validator_missing', 'detail',
     concat('No process that runs batches has the validator "', ${validator}, '". Start one that has it, and resume the batch.'))::text
   where ${isComplete} and b.state in ('running', 'paused') and ${isGated} and ${isUnchecked} and ${validator} <> all($1::text[])
   returning ${batchColumns}`,
);

/**
 * $1 batch, $2 by what it is stratified, $3 the label, $4 how many items at most, $5 the percent of those that succeeded. The order within a
 * group follows from batch and place, and so does the sample.
 */
export const drawSample = named(
  'batches.draw_sample',
  `with chosen as (
     select b.* from millrace.batches b where b.id = $1::uuid and b.checks is null and ${isComplete} for update),
   candidates as (
     select i.position, md5(concat(i.batch_id, ' ', i.position)) as draw, case $2::text
         when 'customer' then coalesce(i.customer, c.customer) when 'team' then coalesce(i.team, c.team)
         when 'label' then coalesce(i.labels::json ->> $3::text, c.labels::json ->> $3::text, '') else '' end as stratum
     from chosen c join millrace.batch_items i on i.batch_id = c.id where i.state = 'succeeded' and i.output is not null),
   ranked as (
     select position, draw, row_number() over (partition by stratum order by draw, position) as nth,
       count(*) over (partition by stratum) as of_stratum, count(*) over () as total
     from candidates),
   sample as (
     select position from ranked
     where nth <= ceil(of_stratum * least($4::numeric, ceil(total * $5::numeric / 100)) / total)
     order by nth, draw, position limit ${maxChecks}),
   drawn as (
     update millrace.batch_items i set check_state = 'open', check_reason = null
     from sample s where i.batch_id = $1::uuid and i.position = s.position returning 1)
   update millrace.batches b set checks = (select count(*)::int from drawn), checks_passed = 0, checks_failed = 0
   from chosen c where b.id = c.id`,
);

/** $1 batch, $2 how many, $3 only these places or null, $4 those that are left out: items to be checked, with what was sent. */
export const listOpenChecks = named(
  'batches.list_open_checks',
  `select i.position, i.item_id, coalesce(i.team, b.team) as team, coalesce(i.customer, b.customer) as customer, b.labels as batch_labels, i.labels,
     i.output, m.id is not null as has_message, m.body, m.body_ref
   from millrace.batch_items i join millrace.batches b on b.id = i.batch_id left join millrace.messages m on m.id = i.message_id
   where i.batch_id = $1::uuid and i.check_state = 'open'
     and ($3::int[] is null or i.position = any($3::int[])) and i.position <> all($4::int[])
   order by i.position limit $2`,
);

/** $1 batch, $2 ended checks: each counts once. */
export const recordChecks = named(
  'batches.record_checks',
  `with told as materialized (
     select * from json_to_recordset($2::json) as r(position int, state text, reason text)),
   changed as (
     update millrace.batch_items i set check_state = t.state, check_reason = t.reason
     from told t where i.batch_id = $1::uuid and i.position = t.position and i.check_state = 'open'
     returning i.check_state),
   counts as (
     select count(*) filter (where check_state = 'passed')::int as passed, count(*) filter (where check_state = 'failed')::int as failed from changed)
   update millrace.batches b set checks_passed = b.checks_passed + c.passed, checks_failed = b.checks_failed + c.failed
   from counts c where b.id = $1::uuid and c.passed + c.failed > 0
   returning c.passed, c.failed`,
);
