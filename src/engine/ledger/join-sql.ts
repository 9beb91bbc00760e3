import { named } from '../../drivers/sql-database/sql-statement.ts';

/*
 * Every statement about joins. How they come to their end stands in the database (millrace.settle_joins), since it belongs to the
 * statement that ends a message, whichever that is: finish, dead letter, cancellation, replay.
 */

/** What a message that waits for a join is parked for. */
export const waitsForJoin = 'join';

/** The parts of a statement that write the joins of `told` (a parameter), of messages that `done` says have ended. */
export function writtenJoins(told: string): string {
  return `told_joins as materialized (
     select j.* from json_to_recordset(${told}::json) as j(id uuid, parent_id uuid, parent_fencing_token int, total int, quorum int, ended int,
       branch_ids uuid[], branch_types text[], branch_states text[], released_by text)
     join done d on d.id = j.parent_id and d.fencing_token = j.parent_fencing_token),
   joins as (
     insert into millrace.joins (id, total, quorum, ended, succeeded, released_by, released_at)
     select id, total, quorum, ended, ended, released_by, case when released_by is not null then clock_timestamp() end from told_joins
     on conflict (id) do nothing),
   branches as (
     insert into millrace.join_branches (id, join_id, place, type, state, ended_at)
     select b.id, j.id, b.place, b.type, b.state, case when b.state <> 'open' then clock_timestamp() end
     from told_joins j cross join lateral unnest(j.branch_ids, j.branch_types, j.branch_states) with ordinality as b(id, type, state, place)
     on conflict (id) do nothing)`;
}

/** $1 branches of messages that have ended: the messages that their joins have let go, and that nobody has taken yet. */
export const listLetGo = named(
  'ledger.list_let_go',
  `select m.id, m.stage from (
     select distinct b.join_id from millrace.join_branches b where b.id = any($1::uuid[])) b
   cross join lateral (select j.id from millrace.joins j where j.id = b.join_id and j.released_at is not null offset 0) j
   cross join lateral (
     select m.id, m.stage, m.state, m.parked_for from millrace.messages m where m.join_id = j.id offset 0) m
   where m.state = 'pending' and m.parked_for is null order by m.id`,
);

/** $1 a join: what came of it. */
export const readJoin = named(
  'ledger.read_join',
  `select j.total, j.quorum, j.ended, j.succeeded, j.released_by from millrace.joins j where j.id = $1::uuid`,
);

/** How many results of a branch are read. */
export const maxResultsOfBranch = 100;

/**
 * $1 a join, $2 the place after which to begin, $3 how many: its branches. With those that succeeded what was said in them: data of types that
 * no stage consumes, and results of handlers after which nothing came. What follows from messages of a released join later changes nothing here.
 */
export const listBranches = named(
  'ledger.list_branches',
  `select b.id, b.place, b.type, b.state, b.error_code, s.said
   from millrace.join_branches b
   cross join lateral (
     select json_agg(json_build_object('body', r.body, 'body_ref', r.body_ref)) as said
     from (
       select m.stage = '' as is_output, case when m.stage = '' then m.body else m.result end as body, case when m.stage = '' then m.body_ref end as body_ref
       from millrace.messages m
       where b.state = 'succeeded' and m.branch_id = b.id and m.state = 'completed' and (m.stage = '' or m.result is not null and not exists (
         select from millrace.messages c where c.root_id = m.root_id and c.parent_id = m.id and c.branch_id = b.id))
       order by is_output desc, m.hops, m.id limit ${maxResultsOfBranch}) r) s
   where b.join_id = $1::uuid and b.place > $2::int order by b.place limit $3`,
);

/** How many branches of a join one look of the sweeper goes to. */
const lookedBranches = 20;

/**
 * $1 the join after which to begin, $2 how many: brings joins that wait up to what their branches are, in case that something was missed. Answers
 * each join that was looked at, and whether it is released now.
 */
export const recheckJoins = named(
  'ledger.recheck_joins',
  `with looked as materialized (
     select j.id from millrace.joins j where j.released_at is null and j.id > $1::uuid order by j.id limit $2),
   settled as materialized (
     select s.id from (
       select array_agg(l.id) as joins, array(
         select b.id from looked l cross join lateral (
           select b.id from millrace.join_branches b where b.join_id = l.id and b.state = 'open' order by b.place limit ${lookedBranches}) b) as branches
       from looked l) a
     cross join lateral millrace.settle_joins(a.branches, a.joins) as s(id) where a.joins is not null)
   select l.id, l.id in (select id from settled) as is_released from looked l order by l.id`,
);

/** $1 joins: the stages whose messages they have let go. */
export const listStagesOfJoins = named(
  'ledger.list_stages_of_joins',
  `select distinct m.stage from millrace.messages m where m.join_id = any($1::uuid[]) and m.state = 'pending' order by m.stage`,
);
