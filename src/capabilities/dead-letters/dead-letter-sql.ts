import { named } from '../../drivers/sql-database/sql-statement.ts';
import { envelopeColumns } from '../../engine/ledger/message-sql.ts';
import { actionOnLetters, livesAgain } from '../../engine/ledger/replay-sql.ts';

/*
 * Every statement about dead letters. The first thirteen parameters of most are one selection (see `selected`); an
 * absent part selects everything. What an operation changes and the record of it stand or fall together.
 */

/**
 * $1 ids, $2 stages, $3 pipelines, $4 owners, $5 teams, $6 customers, $7 features, $8 batches, $9 error codes,
 * $10 and $11 when they died, $12 discarded ones: 'no', 'only' or 'any', $13 the only team that the viewer may see.
 */
const selected = `m.state = 'dead_lettered'
     and ($1::uuid[] is null or m.id = any($1::uuid[]))
     and ($2::text[] is null or m.stage = any($2::text[]))
     and ($3::text[] is null or m.pipeline = any($3::text[]))
     and ($4::text[] is null or m.owner = any($4::text[]))
     and ($5::text[] is null or m.team = any($5::text[]))
     and ($6::text[] is null or m.customer = any($6::text[]))
     and ($7::text[] is null or m.feature = any($7::text[]))
     and ($8::text[] is null or m.batch = any($8::text[]))
     and ($9::text[] is null or m.error_code = any($9::text[]))
     and ($10::timestamptz is null or m.finished_at >= $10::timestamptz)
     and ($11::timestamptz is null or m.finished_at < $11::timestamptz)
     and ($12::text = 'any' or (m.discarded_at is not null) = ($12::text = 'only'))
     and ($13::text is null or m.team = $13::text)`;

/** Recorded answers, one for each place in the handler, that a further run of it finds in its journal. */
const reusable = `select distinct on (c.step, c.ordinal) c.cost_usd
     from millrace.calls c
     where c.message_id = m.id and c.state = 'settled' and c.outcome = 'ok' and c.invalidated_at is null and (c.answer is not null or c.answer_ref is not null)
     order by c.step, c.ordinal, c.reserved_at desc, c.id desc`;

const deathColumns = `m.state, m.error_code, m.finished_at, m.discarded_at, m.discarded_by, m.body_bytes,
     (select count(*)::int from millrace.dead_letter_actions a join millrace.operator_actions o on o.id = a.action_id
      where a.message_id = m.id and o.action = 'dead_letters.replay') as replays,
     (select coalesce(sum(c.cost_usd) filter (where c.state = 'settled'), 0)::text from millrace.calls c
      where c.message_id = m.id) as paid_usd`;

/** $14, $15 the place of the last one seen (microseconds and id), $16 how many. The newest death comes first. */
export const listDeadLetters = named(
  'ledger.list_dead_letters',
  `select ${envelopeColumns}, ${deathColumns}, (extract(epoch from m.finished_at) * 1000000)::bigint::text as died_us
   from millrace.messages m
   where ${selected}
     and ($14::bigint is null
       or (m.finished_at, m.id) < (timestamptz 'epoch' + $14::bigint * interval '1 microsecond', $15::uuid))
   order by m.finished_at desc, m.id desc limit $16`,
);

/** $1 the id, $2 the only team that the viewer may see. Also finds one that lives again after a replay. */
export const findDeadLetter = named(
  'ledger.find_dead_letter',
  `select ${envelopeColumns}, ${deathColumns}
   from millrace.messages m
   where m.id = $1::uuid and ($2::text is null or m.team = $2::text)
     and (m.state = 'dead_lettered' or exists (select from millrace.dead_letter_actions a where a.message_id = m.id))`,
);

/** $1 the id: its newest 200 failed attempts and expired leases, oldest first. */
export const listDeadLetterFailures = named(
  'ledger.list_dead_letter_failures',
  `select * from (
     select fencing_token, at, code, retryable, detail from millrace.failures where message_id = $1::uuid order by fencing_token desc limit 200) newest
   order by fencing_token`,
);

/** $1 the id: its newest 200 calls, oldest first. */
export const listDeadLetterCalls = named(
  'ledger.list_dead_letter_calls',
  `select * from (
     select id, fencing_token, step, ordinal, attempt, provider, model, answered_model, fallback_from, cascade_verdict, tier, state, outcome, settlement,
       error_type, reserved_at, duration_ms, cost_usd, upper_bound_usd, price_reference, price_catalogue, waste_reason, parameters,
       (state = 'settled' and outcome = 'ok' and invalidated_at is null and (answer is not null or answer_ref is not null)) as is_reusable
     from millrace.calls where message_id = $1::uuid order by reserved_at desc, id desc limit 200) newest
   order by reserved_at, id`,
);

/** $1 the id: what operators did to it so far, oldest first. */
export const listDeadLetterActions = named(
  'ledger.list_dead_letter_actions',
  `select o.id, o.at, o.actor, o.action, o.reason, a.died_at, a.fencing_token, a.error_code, a.attempts
   from millrace.dead_letter_actions a join millrace.operator_actions o on o.id = a.action_id
   where a.message_id = $1::uuid order by o.at, o.id`,
);

/**
 * $14 how many at most, oldest death first. By stage: how many, what was paid, what of it is reused, and what the
 * same number of successful messages costs above that, on average and if each were as expensive as the most expensive. The sample
 * is up to 500 successes a stage among the newest 20,000 messages, and as many of those whose senders named them
 * (their ids are not in the order of time). Successes with an unpriced call are no sample: their cost is not known.
 * Without a sample there is no estimate (greatest() would make nought of it).
 */
export const planReplay = named(
  'ledger.plan_replay',
  `with letters as (
     select m.id, m.stage, m.owner, r.steps, r.usd as reusable_usd,
       (select coalesce(sum(c.cost_usd) filter (where c.state = 'settled'), 0) from millrace.calls c where c.message_id = m.id) as paid_usd
     from (select m.id, m.stage, m.owner from millrace.messages m where ${selected} order by m.finished_at, m.id limit $14) m
     cross join lateral (select count(*)::int as steps, coalesce(sum(cost_usd), 0) as usd from (${reusable}) answers) r),
   recent as (
     (select id, stage, state from millrace.messages
      where id >= '00000000-0001-0000-0000-000000000000' order by id desc limit 20000)
     union all
     (select id, stage, state from millrace.messages
      where id < '00000000-0001-0000-0000-000000000000' order by id desc limit 20000)),
   ranked as (
     select id, stage, row_number() over (partition by stage order by id desc) as place
     from recent where state = 'completed' and stage in (select stage from letters)),
   priced as (
     select s.stage, coalesce(sum(c.cost_usd), 0) as usd
     from ranked s left join millrace.calls c on c.message_id = s.id
     where s.place <= 500
     group by s.stage, s.id
     having count(*) filter (where c.state = 'settled' and c.cost_usd is null) = 0),
   sample as (select stage, count(*)::int as size, avg(usd) as mean_usd, max(usd) as most_expensive_usd from priced group by stage)
   select l.stage, l.owner, count(*)::int as count, sum(l.steps)::int as reusable_steps, sum(l.reusable_usd)::text as reusable_usd,
     sum(l.paid_usd)::text as paid_usd, coalesce(max(s.size), 0)::int as sample_size,
     round(sum(case when s.size > 0 then greatest(0, s.mean_usd - l.reusable_usd) end), 12)::text as estimated_usd,
     sum(case when s.size > 0 then greatest(0, s.most_expensive_usd - l.reusable_usd) end)::text as most_expensive_usd
   from letters l left join sample s on s.stage = l.stage
   group by l.stage, l.owner order by l.stage, l.owner`,
);

/** One slice of an operation: what is selected and was not yet touched by this operation itself. */
const chosen = `chosen as (
     select m.id, m.fencing_token, m.finished_at, m.error_code, m.attempts + m.invalid_output_attempts as attempts
     from millrace.messages m
     where ${selected}
       and not exists (select from millrace.dead_letter_actions a where a.message_id = m.id and a.action_id = $14::uuid)
     order by m.finished_at, m.id limit $15
     for update skip locked)`;

/** $16 the actor, $17 the action, $18 its target, $19 its detail, $20 the reason. */
const recorded = (changed: string): string =>
  actionOnLetters(changed, {
    id: '$14',
    actor: '$16',
    action: '$17',
    target: '$18',
    detail: '$19',
    reason: '$20',
  });

/**
 * $14 the operation's id, $15 how many, $16 to $20 its record, $21 the delay of the first in milliseconds, $22 of each
 * further one. The rows live again under their own ids, with their fencing tokens, deliveries, failures and calls.
 */
export const replayDeadLetters = named(
  'ledger.replay_dead_letters',
  `with ${chosen},
   placed as (
     select id, $21::float8 + (row_number() over (order by finished_at, id) - 1) * $22::float8 as delay_ms from chosen),
   replayed as (
     ${livesAgain('placed')}),
   ${recorded('replayed')}
   select * from replayed`,
);

/** Parameters as for replayDeadLetters, up to $20. They stay what they are, and are in no notification any more. */
export const discardDeadLetters = named(
  'ledger.discard_dead_letters',
  `with ${chosen},
   discarded as (
     update millrace.messages m set discarded_at = clock_timestamp(), discarded_by = $16
     from chosen c where m.id = c.id
     returning m.id, m.stage, m.owner),
   ${recorded('discarded')}
   select * from discarded`,
);
