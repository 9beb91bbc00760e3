import { named } from '../../drivers/sql-database/sql-statement.ts';
import { waitsToStart } from './start-sql.ts';

/* What waits, and for what. Each question is bounded however much there is: so many names, so many messages of each. */

/** How many messages of one reason are counted; beyond that it is "at least". */
export const maxCounted = 10_000;
const maxNames = 100;

/** The names in an index of messages, by steps from one to the next. */
const stepsThrough = (column: string, condition: string): string => `names as (
     (select ${column} as name, 1 as step from millrace.messages where ${condition} order by ${column} limit 1)
     union all
     select (select m.${column} from millrace.messages m where ${condition} and m.${column} > n.name
       order by m.${column} limit 1), n.step + 1
     from names n where n.name is not null and n.step < ${maxNames})`;

const figures = `count(*)::int as messages, min(w.since) as since, min(w.available_at) as until,
       array_agg(distinct w.stage order by w.stage) as stages`;

/** Messages that are put off to a time that has not come, by what they were put off for. */
export const listPutOff = named(
  'ledger.list_put_off',
  `with recursive ${stepsThrough('waits_for', `state = 'pending' and waits_for is not null`)}
   select n.name, f.messages, f.since, f.until, f.stages
   from names n cross join lateral (
     select ${figures} from (
       select coalesce(m.waits_since, m.available_at) as since, m.available_at, m.stage from millrace.messages m
       where m.state = 'pending' and m.waits_for = n.name and m.available_at > statement_timestamp() and m.parked_for is null
       order by m.available_at limit ${maxCounted + 1}) w) f
   where n.name is not null and f.messages > 0`,
);

/** Messages that wait until something is lifted: a block, a quota without room, an earlier message of their key. */
export const listSetAside = named(
  'ledger.list_set_aside',
  `with recursive ${stepsThrough('parked_for', 'parked_for is not null')}
   select n.name, f.messages, f.since, f.starts_at as until, f.stages
   from names n cross join lateral (
     select ${figures}, min(w.starts_at) as starts_at from (
       select coalesce(case when m.waits_for = n.name then m.waits_since end, m.available_at) as since, m.available_at, m.stage,
         case when m.parked_for = '${waitsToStart}' then m.start_at end as starts_at
       from millrace.messages m where m.parked_for = n.name order by m.available_at limit ${maxCounted + 1}) w) f
   where n.name is not null and f.messages > 0`,
);

/** $1 stages: messages that are due and that nobody has taken yet. */
export const listDue = named(
  'ledger.list_due',
  `select 'worker:' || s.stage as name, f.messages, f.since, null::timestamptz as until, array[s.stage] as stages
   from unnest($1::text[]) s(stage) cross join lateral (
     select count(*) filter (where w.available_at <= statement_timestamp())::int as messages, min(w.available_at) as since
     from (
       select m.available_at from millrace.messages m
       where m.state = 'pending' and m.parked_for is null and m.stage = s.stage limit ${maxCounted + 1}) w) f
   where f.messages > 0 order by s.stage`,
);
