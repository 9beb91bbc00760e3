import { named } from '../../drivers/sql-database/sql-statement.ts';
import { recordAction } from './operator-action.ts';

/* How dead letters live again, for whoever decides that they do. What an operation changes and the record of it stand or fall together. */

/**
 * Lets the messages of `placed` (id, delay_ms) live again: under their own ids, with their fencing tokens, deliveries, failures and
 * calls, so that recorded answers are given again.
 */
export function livesAgain(placed: string): string {
  return `update millrace.messages m
     set state = 'pending', waits_for = 'replay', waits_since = clock_timestamp(), attempts = 0, invalid_output_attempts = 0, expired_leases = 0,
       prior_attempts = m.prior_attempts + m.attempts + m.invalid_output_attempts, finished_at = null, error_code = null,
       discarded_at = null, discarded_by = null,
       available_at = clock_timestamp() + p.delay_ms * interval '1 millisecond',
       sweep_at = 'infinity'
     from ${placed} p where m.id = p.id
     returning m.id, m.stage, m.owner, m.lane, m.team, m.customer, m.feature, m.batch, m.labels, m.trace_parent, m.fencing_token, p.delay_ms`;
}

/** The parameters of an operation's record. */
interface OperationParameters {
  readonly id: string;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly detail: string;
  readonly reason: string;
}

/**
 * The parts of a statement that note what was done to dead letters, with one row in the audit for all slices of an operation. `chosen`
 * has what they were (id, finished_at, fencing_token, error_code, attempts), `changed` which of them were changed.
 */
export function actionOnLetters(changed: string, operation: OperationParameters): string {
  const { id, actor, action, target, detail, reason } = operation;
  return `touched as (
     insert into millrace.dead_letter_actions (message_id, action_id, died_at, fencing_token, error_code, attempts)
     select c.id, ${id}::uuid, c.finished_at, c.fencing_token, coalesce(c.error_code, ''), c.attempts from chosen c join ${changed} using (id)),
   audited as (
     ${recordAction({
       id: `${id}::uuid`,
       actor,
       action,
       target,
       affected: 'count(*)',
       detail: `${detail}::json`,
       reason,
       team: `${detail}::json ->> 'team'`,
       from: `${changed} having count(*) > 0`,
       repeated: 'adds',
     })})`;
}

/**
 * $1 roots, $2 how many, $3 the operation's id, $4 the actor, $5 the action, $6 its target, $7 its detail, $8 the reason: the dead letters
 * of their trees that nobody discarded, and that this operation has not let live again yet. All are due at once.
 */
export const replayTrees = named(
  'ledger.replay_trees',
  `with dead as (
     select m.id from millrace.messages m where m.id = any($1::uuid[]) and m.state = 'dead_lettered'
     union all
     select m.id from millrace.messages m
     where m.root_id = any($1::uuid[]) and m.parent_id is not null and m.state = 'dead_lettered'),
   chosen as (
     select m.id, m.fencing_token, m.finished_at, m.error_code, m.attempts + m.invalid_output_attempts as attempts
     from millrace.messages m
     where m.id in (select id from dead) and m.state = 'dead_lettered' and m.discarded_at is null
       and not exists (select from millrace.dead_letter_actions a where a.message_id = m.id and a.action_id = $3::uuid)
     order by m.finished_at, m.id limit $2
     for update skip locked),
   placed as (select id, 0::float8 as delay_ms from chosen),
   replayed as (${livesAgain('placed')}),
   ${actionOnLetters('replayed', { id: '$3', actor: '$4', action: '$5', target: '$6', detail: '$7', reason: '$8' })}
   select id, stage from replayed`,
);
