import { named } from '../../../drivers/sql-database/sql-statement.ts';

/* Notices of batches. The ledger writes one with each change of state that is told (migration 0072); what is here sends them. */

const isOpen = `n.delivered_at is null and n.given_up_at is null`;

/**
 * $1 how many, $2 attempts that a notice has, $3 and $4 the first and the longest pause in seconds. An attempt counts, and the next is due,
 * before the request leaves: one of which the process dies is made again.
 */
export const claimNotices = named(
  'batches.claim_notices',
  `with due as (
     select n.id from millrace.batch_notices n
     where ${isOpen} and n.next_at <= clock_timestamp() and n.attempts < $2::int
     order by n.next_at, n.id limit $1 for update skip locked)
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
