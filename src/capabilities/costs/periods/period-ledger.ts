import type { SqlDatabase, SqlExecutor } from '../../../drivers/sql-database/sql-database.ts';
import { named } from '../../../drivers/sql-database/sql-statement.ts';
import { recordAction } from '../../../engine/ledger/operator-action.ts';
import { invariant } from '../../../kernel/invariant.ts';
import type { Uuid } from '../../../kernel/ids.ts';

/** A month of a time zone, from its first moment to that after its last. */
export interface BillingPeriod {
  /** "2026-10" */
  readonly month: string;
  readonly timeZone: string;
  readonly from: Date;
  readonly to: Date;
}

/** A period that was closed, and opened again if it was. */
export interface ClosedPeriod extends BillingPeriod {
  readonly closedAt: Date;
  readonly closedBy: string;
  readonly reason: string;
  readonly reopened?: { readonly at: Date; readonly by: string; readonly reason: string };
}

/** Who does it, and why. */
export interface PeriodOperation {
  /** In the audit. */
  readonly id: Uuid;
  readonly actor: string;
  readonly reason: string;
}

/** What of a period is not in the column store yet. */
export interface OpenWork {
  readonly callsUnderWay: number;
  readonly recordsToExport: number;
}

/** Whether the period is closed now, or why not. */
export type CloseOutcome =
  | { readonly kind: 'closed'; readonly period: ClosedPeriod; readonly isNew: boolean }
  | { readonly kind: 'open_work'; readonly work: OpenWork }
  | { readonly kind: 'overlaps'; readonly period: ClosedPeriod };

const columns =
  'p.name, p.time_zone, p.from_at, p.to_at, p.closed_at, p.closed_by, p.reason, p.reopened_at, p.reopened_by, p.reopen_reason';

const listPeriods = named(
  'periods.list',
  `select ${columns} from millrace.billing_periods p order by p.from_at, p.closed_at, p.id`,
);

/** Nobody writes a record while a period is closed: those before are seen here, those after see the closed period. */
const lockOutbox = named('periods.lock_outbox', 'lock table millrace.outbox in share mode');

/** $1 and $2 the span: closed periods that lie in it in part. */
const findOverlapping = named(
  'periods.find_overlapping',
  `select ${columns} from millrace.billing_periods p where p.reopened_at is null and p.from_at < $2::timestamptz and p.to_at > $1::timestamptz
   order by p.from_at, p.id limit 1`,
);

const timeOfLine = `(substring(o.line from '"ts":"([^"]+)"') || '+00')::timestamptz`;

/** $1 and $2 the span. A record without a line is about a row. */
const measureOpenWork = named(
  'periods.measure_open_work',
  `select (select count(*) from millrace.calls c where c.state = 'reserved' and c.reserved_at >= $1::timestamptz and c.reserved_at < $2::timestamptz)::int
       as calls_under_way,
     (select count(*) from (
        select coalesce(${timeOfLine}, c.reserved_at, m.finished_at) as ts
        from millrace.outbox o left join millrace.calls c on o.line is null and o.target = 'usage' and c.id = o.subject
        left join millrace.messages m on o.line is null and o.target = 'message_outcomes' and m.id = o.subject) waiting
      where waiting.ts >= $1::timestamptz and waiting.ts < $2::timestamptz)::int as records_to_export`,
);

/** $1 the audit's id, $2 name, $3 time zone, $4 and $5 the span, $6 actor, $7 reason. */
const closePeriod = named(
  'periods.close',
  `with closed as (
     insert into millrace.billing_periods as p (id, name, time_zone, from_at, to_at, closed_by, reason)
     values ($1::uuid, $2, $3, $4::timestamptz, $5::timestamptz, $6, $7) returning ${columns}),
   audited as (
     ${recordAction({
       id: '$1::uuid',
       actor: '$6',
       action: "'periods.close'",
       target: "'period ' || name",
       detail: "json_build_object('timeZone', time_zone)",
       reason: '$7',
       from: 'closed',
     })})
   select * from closed`,
);

/** $1 the audit's id, $2 name, $3 actor, $4 reason. */
const reopenPeriod = named(
  'periods.reopen',
  `with reopened as (
     update millrace.billing_periods p set reopened_at = clock_timestamp(), reopened_by = $3, reopen_reason = $4
     where p.name = $2 and p.reopened_at is null returning ${columns}),
   audited as (
     ${recordAction({
       id: '$1::uuid',
       actor: '$3',
       action: "'periods.reopen'",
       target: "'period ' || name",
       detail: "json_build_object('timeZone', time_zone, 'closedAt', closed_at, 'closedBy', closed_by)",
       reason: '$4',
       from: 'reopened',
     })})
   select * from reopened`,
);

interface PeriodRow {
  readonly name: string;
  readonly time_zone: string;
  readonly from_at: Date;
  readonly to_at: Date;
  readonly closed_at: Date;
  readonly closed_by: string;
  readonly reason: string;
  readonly reopened_at: Date | null;
  readonly reopened_by: string | null;
  readonly reopen_reason: string | null;
}

/** The periods that are closed, in the ledger. */
export class PeriodLedger {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Every closing, the earliest period first; those that were opened again among them. */
  async list(): Promise<readonly ClosedPeriod[]> {
    const { rows } = await this.#database.query<PeriodRow>(listPeriods);
    return rows.map((row) => periodOf(row));
  }

  /** Closes the period once everything about it is in the column store. What is closed already stays as it is. Audited. */
  async close(period: BillingPeriod, operation: PeriodOperation): Promise<CloseOutcome> {
    const { month, timeZone, from, to } = period;
    // Looked at first without the lock: nobody waits for what is refused.
    const before = await this.#hindrance(this.#database, period);
    if (before !== undefined) return before;
    return await this.#database.transaction(async (transaction) => {
      await transaction.query(lockOutbox);
      const hindrance = await this.#hindrance(transaction, period);
      if (hindrance !== undefined) return hindrance;
      const { id, actor, reason } = operation;
      const { rows } = await transaction.query<PeriodRow>(closePeriod, [
        id,
        month,
        timeZone,
        from,
        to,
        actor,
        reason,
      ]);
      const [row] = rows;
      invariant(row !== undefined, 'closing a period answers its row');
      return { kind: 'closed', period: periodOf(row), isNew: true };
    });
  }

  /** The period is open again: what is learnt of its calls is booked in it. Undefined when it was not closed. Audited. */
  async reopen(month: string, { id, actor, reason }: PeriodOperation): Promise<ClosedPeriod | undefined> {
    const { rows } = await this.#database.query<PeriodRow>(reopenPeriod, [id, month, actor, reason]);
    const [row] = rows;
    return row === undefined ? undefined : periodOf(row);
  }

  async #hindrance(executor: SqlExecutor, { month, timeZone, from, to }: BillingPeriod) {
    const { rows } = await executor.query<PeriodRow>(findOverlapping, [from, to]);
    const [row] = rows;
    if (row !== undefined) {
      const period = periodOf(row);
      const isThis = period.month === month && period.timeZone === timeZone;
      return isThis
        ? ({ kind: 'closed', period, isNew: false } as const)
        : ({ kind: 'overlaps', period } as const);
    }
    const measured = await executor.query<{ calls_under_way: number; records_to_export: number }>(
      measureOpenWork,
      [from, to],
    );
    const [open] = measured.rows;
    invariant(open !== undefined, 'a select of scalars has one row');
    const work = { callsUnderWay: open.calls_under_way, recordsToExport: open.records_to_export };
    const isDone = work.callsUnderWay === 0 && work.recordsToExport === 0;
    return isDone ? undefined : ({ kind: 'open_work', work } as const);
  }
}

function periodOf(row: PeriodRow): ClosedPeriod {
  const { reopened_at: at, reopened_by: by, reopen_reason: reason } = row;
  return {
    month: row.name,
    timeZone: row.time_zone,
    from: row.from_at,
    to: row.to_at,
    closedAt: row.closed_at,
    closedBy: row.closed_by,
    reason: row.reason,
    ...(at === null || by === null || reason === null ? {} : { reopened: { at, by, reason } }),
  };
}
