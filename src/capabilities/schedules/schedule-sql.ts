import { named } from '../../drivers/sql-database/sql-statement.ts';
import { recordAction } from '../../engine/ledger/operator-action.ts';

/* Every statement about schedules themselves; those about their runs are in run-sql.ts. */

const columns = `s.id, s.team, s.name, s.source, s.definition, s.from_at, s.revision, s.paused_at, s.paused_by, s.next_at, s.due_at,
     s.failing_since, s.failure_code, s.failure_detail, s.actor, s.created_at, s.changed_at`;

/** One who makes or changes schedules at a time: how many there may be is asked under it. */
export const lockSchedules = named(
  'schedules.lock',
  `select pg_advisory_xact_lock(hashtextextended('millrace.schedules', 0))`,
);

/** $1 a team: how many schedules it has, and how many there are. */
export const countSchedules = named(
  'schedules.count',
  `select count(*)::int as total, count(*) filter (where s.team = $1)::int as of_team from millrace.schedules s`,
);

/** $1 an id, $2 the only team that the viewer may see. */
export const findSchedule = named(
  'schedules.find',
  `select ${columns} from millrace.schedules s where s.id = $1::uuid and ($2::text is null or s.team = $2::text)`,
);

/** $1 a name, $2 the only team that the viewer may see. Two at most: a name is a team's. */
export const findScheduleByName = named(
  'schedules.find_by_name',
  `select ${columns} from millrace.schedules s where s.name = $1 and ($2::text is null or s.team = $2::text)
   order by s.team limit 2`,
);

/** $1 an id: the row, kept until the transaction ends. */
export const lockSchedule = named(
  'schedules.lock_one',
  `select ${columns} from millrace.schedules s where s.id = $1::uuid for update`,
);

/** $1 the only team that the viewer may see, $2 and $3 team and name of the last one seen, $4 how many. */
export const listSchedules = named(
  'schedules.list',
  `select ${columns} from millrace.schedules s
   where ($1::text is null or s.team = $1::text) and (s.team, s.name) > ($2::text, $3::text)
   order by s.team, s.name limit $4`,
);

/** All schedules of the configuration. */
export const listConfigured = named(
  'schedules.list_configured',
  `select ${columns} from millrace.schedules s where s.source = 'configuration' order by s.team, s.name`,
);

/** $1 a team, $2 a name. */
export const findOfTeam = named(
  'schedules.find_of_team',
  `select ${columns} from millrace.schedules s where s.team = $1 and s.name = $2`,
);

export const insertSchedule = named(
  'schedules.insert',
  `insert into millrace.schedules as s (id, team, name, source, definition, customer, from_at, next_at, due_at, actor, overlap, offset_ms, created_at, changed_at)
   values ($1::uuid, $2, $3, $4, $5, $6, $7::timestamptz, $8::timestamptz, $9::timestamptz, $10, $11, $12, clock_timestamp(), clock_timestamp())
   returning ${columns}`,
);

/** $1 the id, $2 the definition, $3 the customer, $4 where even steps begin, $5 and $6 the next time and when it is due, $7 who, $8 the name, $9 what of overlaps, $10 its part of the jitter. */
export const replaceSchedule = named(
  'schedules.replace',
  `update millrace.schedules s set definition = $2, customer = $3, from_at = $4::timestamptz, next_at = $5::timestamptz,
     due_at = $6::timestamptz, actor = $7, name = $8, overlap = $9, offset_ms = $10, revision = s.revision + 1, changed_at = clock_timestamp(),
     failing_since = null, failure_code = null, failure_detail = null
   where s.id = $1::uuid returning ${columns}`,
);

/** $1 the id, $2 who. */
export const pauseSchedule = named(
  'schedules.pause',
  `update millrace.schedules s set paused_at = clock_timestamp(), paused_by = $2, next_at = null, due_at = null, revision = s.revision + 1
   where s.id = $1::uuid returning ${columns}`,
);

/** $1 the id, $2 and $3 the next time and when it is due. */
export const resumeSchedule = named(
  'schedules.resume',
  `update millrace.schedules s set paused_at = null, paused_by = null, next_at = $2::timestamptz, due_at = $3::timestamptz,
     revision = s.revision + 1
   where s.id = $1::uuid returning ${columns}`,
);

/** $1 the id: with its runs. Messages that were admitted go on. */
export const deleteSchedule = named(
  'schedules.delete',
  `delete from millrace.schedules s where s.id = $1::uuid returning ${columns}`,
);

/** $1 id, $2 actor, $3 action, $4 target, $5 detail, $6 reason, $7 team. */
export const recordScheduleAction = named(
  'schedules.record_action',
  recordAction({
    id: '$1::uuid',
    actor: '$2',
    action: '$3',
    target: '$4',
    detail: '$5::json',
    reason: '$6',
    team: '$7::text',
  }),
);
