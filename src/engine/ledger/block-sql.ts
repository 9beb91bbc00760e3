import { named } from '../../drivers/sql-database/sql-statement.ts';
import { recordAction } from './operator-action.ts';
import { notifyColumns } from './sweep-sql.ts';

/* Every statement about blocks, and about messages that wait for one. */

/** Expressions of the work that a block may stop. */
export interface WorkColumns {
  readonly stage: string;
  readonly team: string;
  readonly customer: string;
  readonly feature: string;
  readonly batch: string;
}

/** The condition that the block with the alias `block` stops the work. The same rule as `stopsWork`. */
export function blocksWork(block: string, work: WorkColumns): string {
  return `(${block}.scope = 'all' or (${block}.scope, ${block}.value) in (('stage', ${work.stage}), ('team', ${work.team}),
       ('customer', ${work.customer}), ('feature', ${work.feature}), ('batch', ${work.batch})))`;
}

/** The same for a row of messages with the alias `message`. */
function blocksMessage(block: string, message: string): string {
  return blocksWork(block, {
    stage: `${message}.stage`,
    team: `${message}.team`,
    customer: `${message}.customer`,
    feature: `${message}.feature`,
    batch: `${message}.batch`,
  });
}

const blockColumns = 'h.id, h.scope, h.value, h.aborts, h.actor, h.reason, h.created_at';
/** Of a block of one team's work: that team. */
const teamOfBlock = "case scope when 'team' then value end";

/** $1 its id if it is new, $2 scope, $3 value, $4 aborts, $5 actor, $6 reason, $7 the audit's id, $8 target. */
export const placeBlock = named(
  'ledger.place_block',
  `with before as materialized (
     select json_build_object('aborts', aborts, 'placedBy', actor, 'placedFor', reason) as was
     from millrace.blocks where source = 'operator' and (scope, value) = ($2::text, $3::text)),
   placed as (
     insert into millrace.blocks as h (id, scope, value, aborts, actor, reason)
     values ($1::uuid, $2, $3, $4::boolean, $5, $6)
     on conflict (source, scope, value) do update set aborts = excluded.aborts, actor = excluded.actor, reason = excluded.reason
     returning ${blockColumns}),
   audited as (
     ${recordAction({
       id: '$7::uuid',
       actor: '$5',
       action: "'pauses.place'",
       target: '$8',
       detail:
         "json_build_object('scope', scope, 'value', value, 'from', (select was from before), 'to', json_build_object('aborts', aborts))",
       reason: '$6',
       team: teamOfBlock,
       from: 'placed',
     })})
   select * from placed`,
);

/**
 * $1 id, $2 scope, $3 value: by id, or by what it blocks; $4 actor, $5 reason, $6 the audit's id.
 */
export const removeBlock = named(
  'ledger.remove_block',
  `with lifted as (
     delete from millrace.blocks h
     where ($1::uuid is null or h.id = $1::uuid) and ($2::text is null or (h.scope, h.value) = ($2::text, $3::text))
       and coalesce($1::text, $2::text) is not null
     returning ${blockColumns}),
   audited as (
     ${recordAction({
       id: '$6::uuid',
       actor: '$4',
       action: "'pauses.resume'",
       target: "case scope when 'all' then 'everything' else scope || ' ' || value end",
       detail: `json_build_object('scope', scope, 'value', value, 'pause', id, 'placedBy', actor, 'placedAt', created_at, 'placedFor', reason)`,
       reason: '$5',
       team: teamOfBlock,
       from: 'lifted',
     })})
   select * from lifted`,
);

/** What stands, for the processes that follow it. */
export const readBlocks = named(
  'ledger.read_blocks',
  `select ${blockColumns}, extract(epoch from clock_timestamp() - h.created_at)::float8 as age_seconds
   from millrace.blocks h order by h.created_at, h.id`,
);

/**
 * $1 the only team that the viewer may see; such a viewer sees what blocks everybody, and of that team. With how
 * many messages wait: those that are parked for the block and, where nothing is parked, those that are pending.
 */
export const listBlocks = named(
  'ledger.list_blocks',
  `select ${blockColumns},
     (select count(*) from millrace.messages m
      where m.parked_for = 'pause:' || h.id and ($1::text is null or m.team = $1::text))::int
     + case h.scope
       when 'all' then (select count(*) from millrace.messages m
         where m.state = 'pending' and m.parked_for is null and ($1::text is null or m.team = $1::text))
       when 'stage' then (select count(*) from millrace.messages m
         where m.state = 'pending' and m.parked_for is null and m.stage = h.value and ($1::text is null or m.team = $1::text))
       else 0 end::int as waiting
   from millrace.blocks h
   where $1::text is null or h.scope in ('all', 'stage', 'model', 'provider') or (h.scope, h.value) = ('team', $1::text)
   order by h.created_at, h.id`,
);

/**
 * Transactions that may have read the blocks before the latest change and still write claims or reservations. A statement has its locks
 * before it has its snapshot: one that is not listed now, and comes later, sees the change.
 */
export const listStragglers = named(
  'ledger.list_stragglers',
  `select virtualtransaction as id from pg_locks
   where locktype = 'relation' and pid <> pg_backend_pid()
     and database = (select oid from pg_database where datname = current_database())
     and relation in ('millrace.blocks'::regclass, 'millrace.messages'::regclass, 'millrace.calls'::regclass)
   group by virtualtransaction
   having bool_or(relation = 'millrace.blocks'::regclass)
     and bool_or(relation <> 'millrace.blocks'::regclass and mode = 'RowExclusiveLock')`,
);

/** $1 scope, $2 value: whether anything open, or any of the newest messages or calls, is of this kind. */
export const findBlockedKind = named(
  'ledger.find_blocked_kind',
  `select case
     when $1::text = 'all' then true
     when $1::text in ('model', 'provider') then exists (
       select from (select provider, model from millrace.calls order by id desc limit 5000) c
       where $2::text = case $1::text when 'model' then c.provider || '/' || c.model else c.provider end)
     else exists (
       select from (
         select stage, team, customer, feature, batch from millrace.messages where sweep_at is not null
         union all
         (select stage, team, customer, feature, batch from millrace.messages order by id desc limit 5000)) m
       where $2::text = case $1::text when 'stage' then m.stage when 'team' then m.team when 'customer' then m.customer
         when 'feature' then m.feature else m.batch end)
     end as known`,
);

/**
 * $1 how many to look at, $2 to $6 after which (stage, lane, customer, when it was due, id), in the order of the index of what is
 * ready: due messages of a blocked team, customer, feature or batch are taken out of the way of the others. Those of a blocked
 * stage, or of everything, stand in nobody's way. Answers those that it parked, and last where the next look begins: no row when
 * the walk is at its end.
 */
export const parkBlockedMessages = named(
  'ledger.park_blocked_messages',
  `with looked as materialized (
     select m.id, m.stage, m.lane, m.customer collate "C" as customer, m.available_at, m.team, m.feature, m.batch
     from millrace.messages m
     where m.state = 'pending' and m.parked_for is null
       and (m.stage, m.lane, m.customer collate "C", m.available_at, m.id) > ($2::text, $3::text, $4::text collate "C", $5::timestamptz, $6::uuid)
     order by m.stage, m.lane, m.customer collate "C", m.available_at, m.id limit $1),
   blocked as materialized (
     select l.id, h.id as block from looked l
     cross join lateral (
       select h.id from millrace.blocks h
       where h.scope in ('team', 'customer', 'feature', 'batch') and ${blocksMessage('h', 'l')}
       order by h.created_at, h.id limit 1) h
     where l.available_at <= statement_timestamp()),
   locked as materialized (
     select c.id, h.block from blocked h cross join lateral (
       select m.id from millrace.messages m where m.id = h.id and case when m.state = 'pending' then m.parked_for is null end
       for update skip locked) c),
   parked as (
     update millrace.messages m set parked_for = 'pause:' || l.block, sweep_at = 'infinity'
     from locked l where m.id = l.id
     returning m.stage, m.owner)
   select stage, owner, null as lane, null as customer, null as at, null::uuid as id from parked
   union all
   select * from (
     select stage, null, lane, customer, available_at::text, id from looked
     order by stage desc, lane desc, customer desc, available_at desc, id desc limit 1) e
   where (select count(*) from looked) = $1`,
);

/** $1 the name they wait for, $2 how many: due now. */
export const releaseParked = named(
  'ledger.release_parked',
  `with freed as (
     select id from millrace.messages where parked_for = $1::text and state = 'pending' limit $2 for update skip locked)
   update millrace.messages m
   set parked_for = null, available_at = clock_timestamp(), sweep_at = 'infinity'
   from freed f where m.id = f.id
   returning ${notifyColumns('m')}, false as is_parked`,
);
