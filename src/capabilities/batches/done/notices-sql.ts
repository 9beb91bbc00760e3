import { named } from '../../../drivers/sql-database/sql-statement.ts';

/* Notices of batches. The ledger writes one with each change of state that is told (migration 0072); what is here sends them. */

const isOpen = `n.delivered_at is null and n.given_up_at is null`;

/**
 * $1 how many, $2 attempts that a notice has, $3 and $4 the first and the longest pause in seconds. An attempt counts, and the next is due,
 * before the request leaves: one of which the process dies is made again. Each webhook has its oldest one in a turn, before any has
 * another: one that does not answer takes no more than what the others leave.
 */
export const claimNotices = named(
  'batches.claim_notices',
  `with waiting as materialized (
     select n.id, n.next_at, row_number() over (partition by n.webhook order by n.next_at, n.id) as nth from millrace.batch_notices n
     where ${isOpen} and n.next_at <= clock_timestamp() and n.attempts < $2::int),
   due as (
     select n.id from millrace.batch_notices n join waiting w on w.id = n.id
     where ${isOpen} and n.next_at <= clock_timestamp()
     order by w.nth, w.next_at, w.id limit $1 for update of n skip locked)
   update millrace.batch_notices n
   set attempts = n.attempts + 1, next_at = clock_timestamp() + least($4::float8, $3::float8 * 2 ^ least(n.attempts, 30)) * interval '1 second'
   from due, millrace.batches b where n.id = due.id and b.id = n.batch_id
   returning n.id, n.batch_id, n.webhook, n.body, n.attempts, b.team`,
);

/** $1 notice. */
export const markDelivered = named(
  'batches.mark_notice_delivered',
  `update millrace.batch_notices n set delivered_at = clock_timestamp(), last_error = null where n.id = $1::uuid and ${isOpen}`,
);

/** $1 notice, $2 why it was not taken. */
export const noteFailure = named(
  'batches.note_notice_failure',
  `update millrace.batch_notices n set last_error = $2 where n.id = $1::uuid and ${isOpen}`,
);

/** $1 how many attempts a notice has: those that had all of them, the last some time ago, are given up on. */
export const giveUpNotices = named(
  'batches.give_up_notices',
  `update millrace.batch_notices n set given_up_at = clock_timestamp()
   where ${isOpen} and n.attempts >= $1::int and n.next_at <= clock_timestamp()
   returning n.id, n.batch_id, n.webhook, n.last_error`,
);

/** Notices that wait, up to a thousand, and since when. */
export const countNotices = named(
  'batches.count_notices',
  `select count(*)::int as waiting, coalesce(extract(epoch from clock_timestamp() - min(w.created_at)), 0)::float8 as oldest_seconds
   from (select n.created_at from millrace.batch_notices n where ${isOpen} order by n.next_at, n.id limit 1000) w`,
);
