import { named } from '../../drivers/sql-database/sql-statement.ts';
import { envelopeColumns } from './message-sql.ts';
import { recordAction } from './operator-action.ts';

/*
 * The statements that end open messages for an operator. What is changed and the record of it stand or fall together. Rows that
 * somebody else holds are left out; the operation comes back to them.
 */

/** $1 ids: open messages as they are now. */
export const readOpenMessages = named(
  'ledger.read_open_messages',
  `select ${envelopeColumns}, m.state from millrace.messages m where m.id = any($1::uuid[]) and m.sweep_at is not null`,
);

/** What a statement answers of the messages that it touched: enough to notify their stages. */
export const steeredColumns = `m.id, m.stage, m.owner, m.lane, m.team, m.customer, m.feature, m.batch, m.labels, m.trace_parent, m.fencing_token,
       m.order_key`;

/** $2 the operation's id, $3 the actor, $4 the action, $5 its target, $6 its detail, $7 the reason. One row for all slices. */
export const steered = (changed: string): string => `audited as (
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
     returning ${steeredColumns}),
   noted as (
     insert into millrace.failures (message_id, fencing_token, at, code, retryable, detail)
     select id, fencing_token, clock_timestamp(), 'MILLRACE_MESSAGE_CANCELLED', false, $8 from cancelled
     on conflict do nothing),
   recorded as (
     insert into millrace.outbox (target, line)
     select 'message_outcomes', f.line from told f join cancelled c on c.id = f.id),
   ${steered('cancelled')}
   select * from cancelled`,
);
