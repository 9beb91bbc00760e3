import { named } from '../../drivers/sql-database/sql-statement.ts';

/*
 * Every statement about the runs of schedules. A run is planned, with the schedule's next time, in one statement: that is the moment from
 * which it is known. Then its message is admitted, under an id that follows from schedule and time, and then it is noted that it was:
 *
 *   due_at has come ─► due (a row, and the schedule's next time) ─► admitted ─► started
 *                   │                                            ├─► skipped    the run before is under way
 *                   │                                            └─► failed     the message was refused
 *                   └► missed
 *
 * Whoever dies between two of these leaves the rest to the next turn: the same message is admitted again, and that changes nothing.
 */

/** $1 how many: schedules whose time has come, the longest due first, with the ledger's time. */
export const listDueSchedules = named(
  'schedules.list_due',
  `select s.id, s.revision, s.name, s.definition, s.from_at, s.next_at,
     extract(epoch from statement_timestamp())::float8 * 1000 as now_ms
   from millrace.schedules s where s.due_at <= statement_timestamp()
   order by s.due_at, s.id limit $1`,
);

/**
 * $1 schedules as they were read, with their next times; $2 their runs. Of a schedule that somebody else has planned or changed meanwhile
 * nothing is written. Answers which were planned here.
 */
export const planRuns = named(
  'schedules.plan_runs',
  `with told as materialized (
     select * from json_to_recordset($1::json) as t(id uuid, revision int, was_at timestamptz, next_at timestamptz, due_at timestamptz)),
   mine as materialized (
     select s.id from told t join millrace.schedules s on s.id = t.id
     where s.revision = t.revision and s.next_at = t.was_at order by s.id for update of s),
   advanced as (
     update millrace.schedules s set next_at = t.next_at, due_at = t.due_at
     from mine m join told t on t.id = m.id where s.id = m.id returning s.id),
   added as (
     insert into millrace.schedule_runs (schedule_id, at, kind, state, message, try_at, planned_at, ended_at, first_at, times, is_at_least)
     select r.schedule_id, r.at, 'scheduled', r.state, r.message, case when r.state = 'due' then clock_timestamp() end, clock_timestamp(),
       case when r.state <> 'due' then clock_timestamp() end, r.first_at, r.times, r.is_at_least
     from json_to_recordset($2::json) as r(schedule_id uuid, at timestamptz, state text, message text, first_at timestamptz, times int, is_at_least boolean)
     join advanced a on a.id = r.schedule_id
     on conflict do nothing)
   select id from advanced`,
);

/** $1 the schedule, $2 what is to be admitted: a run that an operator asks for. */
export const addManualRun = named(
  'schedules.add_manual_run',
  `insert into millrace.schedule_runs (schedule_id, at, kind, state, message, try_at, planned_at)
   values ($1::uuid, date_trunc('milliseconds', clock_timestamp()), 'manual', 'due', $2, clock_timestamp(), clock_timestamp())
   on conflict do nothing
   returning at`,
);

/** Whether what followed from the messages of a run `p` is open. */
const isOpen = `(exists (select from millrace.messages m where m.id = any(p.message_ids) and m.sweep_at is not null)
       or exists (select from (
         select d.sweep_at from millrace.messages d where d.root_id = any(p.message_ids) and d.parent_id is not null offset 0) d
         where d.sweep_at is not null))`;

/** $1 how many: runs that are due, the longest first, and whether the run before of the same schedule is under way. */
export const listDueRuns = named(
  'schedules.list_due_runs',
  `select r.schedule_id, r.at, r.kind, r.message, r.planned_at, s.offset_ms, s.overlap, before.is_open,
     extract(epoch from statement_timestamp())::float8 * 1000 as now_ms
   from (select d.* from millrace.schedule_runs d where d.state = 'due' and d.try_at <= statement_timestamp()
     order by d.try_at, d.schedule_id, d.at, d.kind limit $1) r
   join millrace.schedules s on s.id = r.schedule_id
   cross join lateral (select coalesce((
     select case when s.overlap = 'skip' then ${isOpen} else false end
     from millrace.schedule_runs p where p.schedule_id = r.schedule_id and p.state = 'started'
     order by p.ended_at desc, p.schedule_id, p.at desc, p.kind limit 1), false) as is_open) before
   order by r.try_at, r.schedule_id, r.at, r.kind`,
);

/**
 * $1 runs with what came of them. A schedule is failing while its last run could not be admitted. Of two processes of which one saw the
 * run before still under way, the one that admitted the message is right.
 */
export const recordRuns = named(
  'schedules.record_runs',
  `with told as materialized (
     select * from json_to_recordset($1::json) as t(schedule_id uuid, at timestamptz, kind text, state text, message_ids json, error_code text,
       detail text, again_in_ms float8)),
   mine as materialized (
     select r.schedule_id, r.at, r.kind from told t
     join millrace.schedule_runs r on r.schedule_id = t.schedule_id and r.at = t.at and r.kind = t.kind
     where r.state = 'due' or (r.state = 'skipped' and t.state = 'started') order by r.schedule_id, r.at, r.kind for update of r),
   noted as (
     update millrace.schedule_runs r set state = t.state, error_code = t.error_code, detail = t.detail,
       message = case when t.state = 'due' then r.message end,
       try_at = case when t.state = 'due' then clock_timestamp() + t.again_in_ms * interval '1 millisecond' end,
       message_ids = case when t.message_ids is not null then array(select e::uuid from json_array_elements_text(t.message_ids) e) end,
       ended_at = case when t.state <> 'due' then clock_timestamp() end
     from mine m join told t on t.schedule_id = m.schedule_id and t.at = m.at and t.kind = m.kind
     where r.schedule_id = m.schedule_id and r.at = m.at and r.kind = m.kind
     returning r.schedule_id, r.at, r.kind, r.state, r.error_code, r.detail),
   last as (
     select distinct on (schedule_id) schedule_id, state, error_code, detail from noted where state in ('started', 'failed')
     order by schedule_id, at desc, kind),
   marked as (
     update millrace.schedules s set
       failing_since = case when l.state = 'failed' then coalesce(s.failing_since, clock_timestamp()) end,
       failure_code = case when l.state = 'failed' then l.error_code end,
       failure_detail = case when l.state = 'failed' then l.detail end
     from last l where s.id = l.schedule_id and (l.state = 'failed' or s.failing_since is not null))
   select schedule_id, at, kind, state from noted`,
);

/** $1 the schedule, $2 how many: its last runs, with what their messages came to. */
export const listRuns = named(
  'schedules.list_runs',
  `select r.schedule_id, r.at, r.kind, r.state, r.planned_at, r.message_ids, r.ended_at, r.first_at, r.times, r.is_at_least, r.error_code, r.detail,
     t.messages, t.open, t.failed, c.calls, c.cost_usd, c.unknown_calls
   from (select d.* from millrace.schedule_runs d where d.schedule_id = $1::uuid order by d.at desc, d.kind limit $2) r
   cross join lateral (
     select count(*)::int as messages, count(*) filter (where m.sweep_at is not null)::int as open,
       count(*) filter (where m.state in ('dead_lettered', 'cancelled'))::int as failed, array_agg(m.id) as ids
     from (
       select m.id, m.state, m.sweep_at from millrace.messages m where m.id = any(r.message_ids)
       union all
       select m.id, m.state, m.sweep_at from millrace.messages m where m.root_id = any(r.message_ids) and m.parent_id is not null
       limit 10000) m) t
   cross join lateral (
     select count(*)::int as calls, coalesce(sum(c.cost_usd) filter (where c.state = 'settled'), 0)::text as cost_usd,
       count(*) filter (where c.state <> 'settled' or c.cost_usd is null)::int as unknown_calls
     from millrace.calls c where c.message_id = any(t.ids)) c
   order by r.at desc, r.kind`,
);

/** What is shown of schedules, and how long the run that is due longest has been. */
export const readScheduleGauges = named(
  'schedules.read_gauges',
  `select count(*)::int as total,
     count(*) filter (where s.paused_at is not null)::int as paused,
     count(*) filter (where s.paused_at is null and s.failing_since is not null)::int as failing,
     count(*) filter (where s.paused_at is null and s.failing_since is null and s.next_at is null)::int as ended,
     coalesce(max(extract(epoch from statement_timestamp() - s.due_at)), 0)::float8 as unplanned_seconds,
     coalesce((select extract(epoch from statement_timestamp() - r.planned_at) from millrace.schedule_runs r
       where r.state = 'due' order by r.try_at, r.schedule_id, r.at, r.kind limit 1), 0)::float8 as unstarted_seconds
   from millrace.schedules s`,
);

/** $1 an age in milliseconds, $2 how many: runs that ended longer ago leave. */
export const deleteOldRuns = named(
  'schedules.delete_old_runs',
  `delete from millrace.schedule_runs where (schedule_id, at, kind) in (
     select r.schedule_id, r.at, r.kind from millrace.schedule_runs r
     where r.ended_at < statement_timestamp() - $1::float8 * interval '1 millisecond'
     order by r.ended_at, r.schedule_id, r.at, r.kind limit $2)`,
);
