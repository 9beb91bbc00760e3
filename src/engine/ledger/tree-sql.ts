import { named } from '../../drivers/sql-database/sql-statement.ts';

/*
 * What is asked about whole trees of messages by whoever records their ends: batches of their items, requests of themselves. A tree has ended when its
 * root is there, neither that nor anything that followed from it is open, and no call of these is: what a call costs is known once it is settled.
 */

/*
 * `offset 0` keeps a look-up apart from what asks for it, so that it is made by its index once for each row: whatever the statistics say
 * of tables that have just been filled, nothing here reads all messages or all open calls.
 */

/** The messages of trees, by their roots in $1. */
export const trees = (columns: string): string => `tree as materialized (
     select o.* from unnest($1::uuid[]) as r(id) cross join lateral (
       select ${columns} from millrace.messages m where m.id = r.id
       union all
       select ${columns} from millrace.messages m where m.root_id = r.id and m.parent_id is not null) o)`;

/** Whether anything that followed from a root is open. */
export const hasOpen = (root: string): string => `coalesce((select true from (
       select d.sweep_at from millrace.messages d where d.root_id = ${root} and d.parent_id is not null offset 0) d where d.sweep_at is not null limit 1), false)`;

/** Whether a call of the message is open, among the calls of the message and not among those that are open. */
const hasOpenCallOf = (message: string): string =>
  `(select true from (select c.state from millrace.calls c where c.message_id = ${message} offset 0) c where c.state = 'reserved' limit 1)`;

/** Whether a call of the tree is open: asked of trees of which no message is. */
export const hasOpenCall = (root: string): string => `(coalesce(${hasOpenCallOf(root)}, false)
       or coalesce((select true from (select d.id from millrace.messages d where d.root_id = ${root} and d.parent_id is not null offset 0) d
         where coalesce(${hasOpenCallOf('d.id')}, false) limit 1), false))`;

/** $1 roots: of their trees what an end is composed of. What is in a branch of a join is that join's to judge: how it ended, and what it said. */
export const readTrees = named(
  'ledger.read_trees',
  `with ${trees(
    `m.id, m.root_id, m.hops, m.state, m.pipeline, m.stage, m.type, m.error_code, m.body, m.body_ref, m.result, m.branch_id,
       m.prior_attempts + m.attempts + m.invalid_output_attempts as attempts`,
  )}
   select t.root_id, t.hops, t.state, t.pipeline, t.stage, t.type, t.error_code, t.attempts,
     case when t.stage = '' then t.body end as body, case when t.stage = '' then t.body_ref end as body_ref,
     case when t.stage <> '' and t.state = 'completed' and t.result is not null
       and not exists (select from millrace.messages c where c.root_id = t.root_id and c.parent_id = t.id) then t.result end as result,
     case when t.state = 'dead_lettered' then
       (select f.detail from millrace.failures f where f.message_id = t.id order by f.fencing_token desc limit 1) end as detail
   from tree t where t.branch_id is null`,
);
