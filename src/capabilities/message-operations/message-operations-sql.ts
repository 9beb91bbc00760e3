import { named } from '../../drivers/sql-database/sql-statement.ts';
import { steered, steeredColumns } from '../../engine/ledger/steering-sql.ts';
import { waitsToStart } from '../../engine/ledger/start-sql.ts';
import { selectedMessages } from './message-selection.ts';

/*
 * Every statement by which operators steer messages that have not ended. What an operation changes and the record of
 * it stand or fall together. Rows that somebody else holds are left out; the operation comes back to them.
 */

/** Whether only time keeps the message waiting. */
const isDueLater = `m.state = 'pending' and m.parked_for is null and m.available_at > clock_timestamp()`;

/** The same, or its own time to start: one of these is hurried where it is named, not with all that a selection holds. */
const mayBeHurried = `(${isDueLater} or m.state = 'pending' and m.parked_for = '${waitsToStart}')`;

/** $15 whether only those that wait for a time, $16 how many: open messages, oldest first. Reads what is open. */
export const selectOpenMessages = named(
  'ledger.select_open_messages',
  `select m.id, m.stage, m.owner from millrace.messages m
   where m.sweep_at is not null and ${selectedMessages} and (not $15::boolean or ${isDueLater} or $2::uuid[] is not null and ${mayBeHurried})
   order by m.created_at, m.id limit $16`,
);

/** $1 ids, $2 the only team that the viewer may see: what keeps each as it is. */
export const describeMessages = named(
  'ledger.describe_messages',
  `select m.id, m.state, m.parked_for, ${mayBeHurried} as is_due_later from millrace.messages m
   where m.id = any($1::uuid[]) and ($2::text is null or m.team = $2::text)`,
);

/**
 * $1 ids: those that only time keeps waiting are due now. Their fencing tokens rise, so that the job notification for now is another
 * than the one that waits in the queue already.
 */
export const hurryMessages = named(
  'ledger.hurry_messages',
  `with chosen as (
     select m.id from millrace.messages m where m.id = any($1::uuid[]) and ${mayBeHurried}
     order by m.id for update skip locked),
   hurried as (
     update millrace.messages m
     set fencing_token = m.fencing_token + 1, available_at = clock_timestamp(), sweep_at = 'infinity',
       order_place = case when m.parked_for = '${waitsToStart}' and m.order_key is not null
         then nextval('millrace.order_places') * 1000000 else m.order_place end,
       parked_for = null
     from chosen c where m.id = c.id
     returning ${steeredColumns}),
   ${steered('hurried')}
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
