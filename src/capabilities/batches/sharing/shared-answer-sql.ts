import { named } from '../../../drivers/sql-database/sql-statement.ts';

/*
 * Every statement about requests that are answered once. A question is led by one message, which makes its call:
 *
 *   answered   the leader's call has an answer that counts; who asks takes it
 *   led        the leader is under way, or about to be: who asks waits
 *   vacant     the leader has ended without an answer, or itself waits for something: who asks next leads
 *   open       so many leaders have ended without an answer that everybody makes a call of his own
 *
 * Nothing of it is stored: it follows from the leader's message and calls. Answer and end of a leader are thus noticed whoever wrote them.
 */

/** After so many leaders that ended without an answer nobody waits for another one any more. */
const maxLeaders = 3;

/** A leader that is due later than this makes way for one that is there. */
const patience = `interval '30 seconds'`;

const told = `json_to_recordset($1::json) as r(place int, batch_id uuid, fingerprint text, message_id uuid, step text, ordinal int, request_digest text)`;

/** The leader's call that counts, of question q. */
const answerOf = `lateral (
       select c.id as call_id, c.answer, c.answer_ref from millrace.calls c
       where c.message_id = q.message_id and c.step = q.step and c.ordinal = q.ordinal and c.request_digest = q.request_digest
         and c.state = 'settled' and c.outcome = 'ok' and c.invalidated_at is null and (c.answer is not null or c.answer_ref is not null)
       order by c.reserved_at, c.id limit 1)`;

/** Whether the message m leads question q as things are. One that waits for its call in a provider's batch does; one that waits for anything else does not. */
const isLed = `coalesce(m.state = 'leased' or m.state = 'pending' and (
       m.parked_for is null and m.available_at <= clock_timestamp() + ${patience}
       or starts_with(m.parked_for, 'provider_batch:')
       or exists (select from millrace.calls c where c.message_id = q.message_id and c.step = q.step and c.ordinal = q.ordinal and c.state = 'reserved')), false)`;

const hasEnded = `(m.id is null or m.state not in ('pending', 'leased'))`;

/** $1 requests: whoever asks first leads. Answers the questions that are new, with their leaders. */
export const askFirst = named(
  'batches.ask_first',
  `insert into millrace.batch_questions (batch_id, fingerprint, message_id, step, ordinal, request_digest)
   select distinct on (r.batch_id, r.fingerprint) r.batch_id, r.fingerprint, r.message_id, r.step, r.ordinal, r.request_digest
   from ${told} join millrace.batches b on b.id = r.batch_id
   order by r.batch_id, r.fingerprint, r.message_id
   on conflict do nothing
   returning batch_id, fingerprint, message_id`,
);

/**
 * $1 requests whose questions are known. Answers for each what becomes of it: to be made by the message itself (own), answered, or awaited;
 * waits and answers that are given are noted. Who is told to lead has raised \`asks\` from what it was in the same sight: a sight that is
 * out of date tells nobody to lead, and its messages wait to be told anew.
 */
export const askAgain = named(
  'batches.ask_again',
  `with asked as materialized (
     select r.* from ${told}),
   question as materialized (
     select q.batch_id, q.fingerprint, q.message_id, q.leaders, q.asks, a.call_id, a.answer, a.answer_ref, ${isLed} as is_led, ${hasEnded} as has_ended
     from (select distinct r.batch_id, r.fingerprint from asked r) k
     join millrace.batch_questions q on q.batch_id = k.batch_id and q.fingerprint = k.fingerprint
     left join millrace.messages m on m.id = q.message_id
     left join ${answerOf} a on true),
   seen as materialized (
     select r.*, q.asks, q.has_ended, q.call_id, q.answer, q.answer_ref,
       case when q.batch_id is null or g.rejected_at is not null then 'own'
         when q.message_id = r.message_id then 'leads'
         when q.call_id is not null then 'answered'
         when q.is_led then 'awaited'
         when q.leaders >= ${maxLeaders} and q.has_ended then 'own'
         else 'takes' end as course
     from asked r
     left join question q on q.batch_id = r.batch_id and q.fingerprint = r.fingerprint
     left join millrace.batch_shared_answers g on g.batch_id = r.batch_id and g.fingerprint = r.fingerprint and g.message_id = r.message_id),
   chosen as materialized (
     select distinct on (s.batch_id, s.fingerprint) s.batch_id, s.fingerprint, s.message_id, s.step, s.ordinal, s.request_digest, s.asks,
       case when s.course = 'takes' and s.has_ended then 1 else 0 end as more_leaders
     from seen s where s.course in ('leads', 'takes')
     order by s.batch_id, s.fingerprint, s.course, s.message_id),
   locked as materialized (
     select q.batch_id, q.fingerprint, q.asks from millrace.batch_questions q
     where (q.batch_id, q.fingerprint) in (select c.batch_id, c.fingerprint from chosen c)
     order by q.batch_id, q.fingerprint for update of q),
   led as (
     update millrace.batch_questions q
     set message_id = c.message_id, step = c.step, ordinal = c.ordinal, request_digest = c.request_digest, asks = q.asks + 1,
       leaders = q.leaders + c.more_leaders
     from chosen c join locked l on l.batch_id = c.batch_id and l.fingerprint = c.fingerprint and l.asks = c.asks
     where q.batch_id = c.batch_id and q.fingerprint = c.fingerprint
     returning q.batch_id, q.fingerprint, q.message_id),
   answered as materialized (
     select s.place, s.batch_id, s.fingerprint, s.message_id, s.call_id, s.answer, s.answer_ref,
       case when s.course not in ('leads', 'takes') then s.course
         when exists (select from led l where l.batch_id = s.batch_id and l.fingerprint = s.fingerprint and l.message_id = s.message_id) then 'own'
         else 'awaited' end as course
     from seen s),
   waits as (
     insert into millrace.batch_question_waits (batch_id, fingerprint, message_id)
     select a.batch_id, a.fingerprint, a.message_id from answered a where a.course = 'awaited'
     on conflict do nothing),
   given as (
     insert into millrace.batch_shared_answers (batch_id, fingerprint, message_id, call_id)
     select distinct a.batch_id, a.fingerprint, a.message_id, a.call_id from answered a where a.course = 'answered'
     on conflict (batch_id, fingerprint, message_id) do update set call_id = excluded.call_id)
   select a.place, a.course, a.call_id, a.answer, a.answer_ref from answered a order by a.place`,
);

/** $1 batch, $2 fingerprint, $3 message: what it was given is of no use to it. */
export const rejectAnswer = named(
  'batches.reject_shared_answer',
  `update millrace.batch_shared_answers set rejected_at = coalesce(rejected_at, clock_timestamp())
   where batch_id = $1::uuid and fingerprint = $2 and message_id = $3::uuid`,
);

/**
 * $1 and $2 the question that was looked at last, $3 how many questions, $4 what the names begin with that messages wait for, $5 how many messages.
 * Those that wait for what is answered or open go on, and of those that wait for what is vacant one, which will lead. A message that is being worked on may
 * be about to wait, and is looked at again; one that has ended waits no more.
 */
export const releaseWaiting = named(
  'batches.release_question_waits',
  `with recursive waited as (
     (select w.batch_id, w.fingerprint, 1 as place from millrace.batch_question_waits w
      where (w.batch_id, w.fingerprint) > ($1::uuid, $2::text) order by w.batch_id, w.fingerprint limit 1)
     union all
     select n.batch_id, n.fingerprint, s.place + 1 from waited s cross join lateral (
       select w.batch_id, w.fingerprint from millrace.batch_question_waits w
       where (w.batch_id, w.fingerprint) > (s.batch_id, s.fingerprint) order by w.batch_id, w.fingerprint limit 1) n
     where s.place < $3::int),
   question as materialized (
     select q.batch_id, q.fingerprint, a.call_id is null and not (q.leaders >= ${maxLeaders} and ${hasEnded}) as is_vacant
     from waited s join millrace.batch_questions q on q.batch_id = s.batch_id and q.fingerprint = s.fingerprint
     left join millrace.messages m on m.id = q.message_id
     left join ${answerOf} a on true
     where a.call_id is not null or not ${isLed}),
   waiting as materialized (
     select w.batch_id, w.fingerprint, w.message_id, q.is_vacant, ${hasEnded} as has_ended,
       coalesce(m.state = 'pending' and starts_with(m.parked_for, $4), false) as is_parked
     from question q join millrace.batch_question_waits w on w.batch_id = q.batch_id and w.fingerprint = q.fingerprint
     left join millrace.messages m on m.id = w.message_id),
   due as (
     select p.message_id from (
       select g.message_id, g.is_vacant, row_number() over (partition by g.batch_id, g.fingerprint order by g.message_id) as place
       from waiting g where g.is_parked) p
     where p.place = 1 or not p.is_vacant order by p.message_id limit $5::int),
   freed as materialized (
     select m.id from millrace.messages m
     where m.id in (select d.message_id from due d) and m.state = 'pending' and starts_with(m.parked_for, $4) order by m.id for update of m),
   released as (
     update millrace.messages m set parked_for = null, available_at = clock_timestamp(), sweep_at = 'infinity'
     from freed f where m.id = f.id and m.state = 'pending'
     returning m.id, m.stage),
   forgotten as (
     delete from millrace.batch_question_waits w using waiting g
     where w.batch_id = g.batch_id and w.fingerprint = g.fingerprint and w.message_id = g.message_id
       and (g.has_ended or g.is_parked and w.message_id in (select f.id from freed f)))
   select l.batch_id as last_batch, l.fingerprint as last_fingerprint, (select count(*) from waited)::int as looked, r.id, r.stage
   from (select 1) one
   left join (select s.batch_id, s.fingerprint from waited s order by s.place desc limit 1) l on true
   left join released r on true order by r.id`,
);
