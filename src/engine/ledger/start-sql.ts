import { named } from '../../drivers/sql-database/sql-statement.ts';

/*
 * Messages that are to start later. Until then one is set aside for "start", out of sight of everything that looks at what is
 * ready: claims, hand-overs, counts of what is due. So nothing that runs often reads a message that waits for its time. When the time
 * has come, it is pending as if it had just been written: due since then, and behind all of its key that are there by then.
 *
 *   (admit, emit) ─► set aside for "start" ─► at start_at: pending ─► …
 *                          └─► cancelled, or started at once by an operator
 */

/** What a message that is to start later is parked for. */
export const waitsToStart = 'start';

/** Of a row of what is told: when it is to start, where that is still to come and a stage takes it. As `starts_at`. */
export function laterStart(row: string): string {
  return `(select case when ${row}.stage <> '' and asked.at > statement_timestamp() then asked.at end as starts_at
       from (select coalesce(${row}.start_at, clock_timestamp() + ${row}.start_in_ms * interval '1 millisecond') as at offset 0) asked)`;
}

/** The values of start_at and parked_for of a new row; `otherwise` is what one that starts at once is parked for. */
export function waitsForStart(row: string, otherwise = 'null'): string {
  return `${row}.starts_at, case when ${row}.starts_at is not null then '${waitsToStart}' else ${otherwise} end`;
}

/** The place among messages of its key, which one that starts later takes only then: it would hold the others up. */
export function orderedFromStart(row: string, place: string): string {
  return `case when ${row}.starts_at is null then ${place} end`;
}

/** What becomes of a message `m` that starts. `place` is its place in the statement. */
function started(dueAt: string, place: string): string {
  return `parked_for = null, available_at = ${dueAt}, sweep_at = 'infinity', order_place = case when m.order_key is not null
       then (select nextval('millrace.order_places')) * 1000000 + ${place} end`;
}

/** $1 how many at most: messages whose time has come are pending. Answers one of each for its stage to be notified of. */
export const startDueMessages = named(
  'ledger.start_due_messages',
  `with due as (
     select m.id, m.start_at from millrace.messages m
     where m.parked_for = '${waitsToStart}' and m.start_at <= statement_timestamp()
     order by m.start_at, m.id limit $1 for update skip locked),
   numbered as (
     select d.id, d.start_at, row_number() over (order by d.start_at, d.id) as place from due d)
   update millrace.messages m set ${started('n.start_at', 'n.place')}
   from numbered n where m.id = n.id
   returning m.id, m.stage`,
);
