import type { SqlStatement } from '../../drivers/sql-database/sql-database.ts';

/*
 * Order by key. Of the open messages of a stage that share a key, only the first may be claimed, and none while another
 * is leased. A claim that comes upon a later one sets it aside (parked for "order"), so that a long row of them hides
 * nobody else. Whoever ends a message lets the next of its key back in the same statement.
 *
 * A claim may set aside what an end has just released without seeing it: after its commit the claim looks again
 * (releaseHeads). One of the two sees the other. A process that dies between leaves it to the sweeper, within 10 s.
 */

/** What a message that waits for an earlier one of its key is parked for. */
export const setAside = 'order';

/** How long after it was set aside the sweeper looks whether a message is behind its key indeed. */
export const asideGrace = `interval '10 seconds'`;

/** The place of a new row, given by its name: one step of the sequence for the statement, and the row's own before it. */
export function newPlace(row: string): string {
  return `case when ${row}.order_key is not null
    then (select nextval('millrace.order_places')) * 1000000 + ${row}.place end`;
}

/** When a new row is due: at once, and before those that come after it in the statement, however coarse the clock is. */
export function dueInTurn(row: string): string {
  return `clock_timestamp() + ${row}.place * interval '1 microsecond'`;
}

const isAnyLeased = (row: string): string => `coalesce((select true from millrace.messages o
    where o.stage = ${row}.stage and o.order_key = ${row}.order_key and o.state = 'leased' limit 1), false)`;

/** Whether an open message, given by the name of its row, must let another of its key go first. */
export function isBehindItsKey(row: string): string {
  return `case when ${row}.order_key is null then false else ${isAnyLeased(row)} or coalesce((select true
    from millrace.messages o
    where o.stage = ${row}.stage and o.order_key = ${row}.order_key and o.sweep_at is not null
      and o.order_place < ${row}.order_place limit 1), false) end`;
}

const freed = `parked_for = null, sweep_at = 'infinity'`;

/** The part of a statement that releases who is next after each of `ended`: rows with id, stage and order_key. */
export function releaseNext(ended: string): string {
  return released(ended, 'm.id <> e.id');
}

/** As releaseNext, for messages that stay open: only an earlier one may go before them. */
export function releaseEarlier(returned: string): string {
  return released(returned, 'm.order_place < e.order_place');
}

function released(from: string, condition: string): string {
  return `released as (
     update millrace.messages n set ${freed}
     where n.parked_for = '${setAside}' and n.id = any(array(
       select first.id from ${from} e cross join lateral (
         select m.id from millrace.messages m
         where m.stage = e.stage and m.order_key = e.order_key and m.sweep_at is not null and ${condition}
         order by m.order_place limit 1) first
       where e.order_key is not null)))`;
}

/** $1 stages, $2 keys: lets their first messages go, if these were set aside and nobody is at work on the key. */
export const releaseHeads: SqlStatement = {
  name: 'ledger.release_heads',
  text: `update millrace.messages n set ${freed}
   where n.parked_for = '${setAside}' and n.id = any(array(
     select first.id from unnest($1::text[], $2::text[]) as k(stage, order_key) cross join lateral (
       select m.id from millrace.messages m
       where m.stage = k.stage and m.order_key = k.order_key and m.sweep_at is not null
       order by m.order_place limit 1) first
     where not ${isAnyLeased('k')}))
   returning n.id`,
};
