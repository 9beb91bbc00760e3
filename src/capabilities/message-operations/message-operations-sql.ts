import { named } from '../../drivers/sql-database/sql-statement.ts';
import { recordAction } from '../../engine/ledger/operator-action.ts';
import { envelopeColumns } from '../../engine/ledger/message-sql.ts';
import { selectedMessages } from './message-selection.ts';

/*
 * Every statement by which operators steer messages that have not ended. What an operation changes and the record of
 * it stand or fall together. Rows that somebody else holds are left out; the operation comes back to them.
 */

/** Whether only time keeps the message waiting. */
const isDueLater = `m.state = 'pending' and m.parked_for is null and m.available_at > clock_timestamp()`;

/** $15 whether only those that wait for a time, $16 how many: open messages, oldest first. Reads what is open. */
export const selectOpenMessages = named(
  'ledger.select_open_messages',
  `select m.id, m.stage, m.owner from millrace.messages m
   where m.sweep_at is not null and ${selectedMessages} and (not $15::boolean or ${isDueLater})
   order by m.created_at, m.id limit $16`,
);

/** $1 ids, $2 the only team that the viewer may see: what keeps each as it is. */
export const describeMessages = named(
  'ledger.describe_messages',
  `select m.id, m.state, m.parked_for, ${isDueLater} as is_due_later from millrace.messages m
   where m.id = any($1::uuid[]) and ($2::text is null or m.team = $2::text)`,
);

/** $1 ids: open messages as they are now. */
export const readOpenMessages = named(
  'ledger.read_open_messages',
  `select ${envelopeColumns}, m.state from millrace.messages m where m.id = any($1::uuid[]) and m.sweep_at is not null`,
);

const touchedColumns = `m.id, m.stage, m.owner, m.lane, m.team, m.customer, m.feature, m.batch, m.labels, m.trace_parent, m.fencing_token,
       m.order_key`;

/** $2 the operation's id, $3 the actor, $4 the action, $5 its target, $6 its detail, $7 the reason. One row for all slices. */
const audited = (changed: string): string => `audited as (
     ${recordAction({
       id: '$2::uuid',
       actor: '$3',
       action: '$4',
       target: '$5',
       affected: 'count(*)',
       detail: '$6::json',
       reason: '$7',
       team: "$6::json ->> 'team'",
       from: `${changed} having count(*) > 0`,
       repeated: 'adds_and_moves',
     })})`;

/**
 * $1 messages with the fencing tokens under which they were read and their outcome records, $8 what the account of failures says.
 * The fencing token rises: whoever works on one of them can end nothing any more, and begins no further call.
 */
export const cancelMessages = named(
  'ledger.cancel_messages',
  `with told as materialized (
     select * from json_to_recordset($1::json) as f(id uuid, fencing_token int, line text)),
   chosen as (
     select m.id, m.fencing_token from told f join millrace.messages m on m.id = f.id and m.fencing_token = f.fencing_token
     where m.state in ('pending', 'leased') order by m.id for update of m skip locked),
   cancelled as (
     update millrace.messages m
     set state = 'cancelled', fencing_token = m.fencing_token + 1, finished_at = clock_timestamp(), error_code = 'MILLRACE_MESSAGE_CANCELLED',
       parked_for = null, sweep_at = null, leased_by = null, lease_until = null
     from chosen c where m.id = c.id
     returning ${touchedColumns}),
   noted as (
     insert into millrace.failures (message_id, fencing_token, at, code, retryable, detail)
     select id, fencing_token, clock_timestamp(), 'MILLRACE_MESSAGE_CANCELLED', false, $8 from cancelled
     on conflict do nothing),
   recorded as (
     insert into millrace.outbox (target, line)
     select 'message_outcomes', f.line from told f join cancelled c on c.id = f.id),
   ${audited('cancelled')}
   select * from cancelled`,
);

/**
 * $1 ids: those that only time keeps waiting are due now. Their fencing tokens rise, so that the job notification for now is another
 * than the one that waits in the queue already.
 */
export const hurryMessages = named(
  'ledger.hurry_messages',
  `with chosen as (
     select m.id from millrace.messages m where m.id = any($1::uuid[]) and ${isDueLater}
     order by m.id for update skip locked),
   hurried as (
     update millrace.messages m
     set fencing_token = m.fencing_token + 1, available_at = clock_timestamp(), sweep_at = 'infinity'
     from chosen c where m.id = c.id
     returning ${touchedColumns}),
   ${audited('hurried')}
   select * from hurried`,
);

/**
 * $1 ids, $2 fencing tokens of runs in progress: which of them an operator has cancelled. Nearly always nobody has cancelled anything of
 * late; then this is one look at an index, and no message is read.
 */
export const findCancelledRuns = named(
  'ledger.find_cancelled_runs',
  `select u.id from unnest($1::uuid[], $2::int[]) as u(id, fencing_token)
   where case when (select exists (select from millrace.operator_actions a
       where a.at > statement_timestamp() - interval '2 minutes' and a.action = 'messages.cancel'))
     then exists (select from millrace.messages m where m.id = u.id and m.fencing_token > u.fencing_token and m.state = 'cancelled')
     else false end`,
);
