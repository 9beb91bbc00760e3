import { AppError } from '../../kernel/app-error.ts';
import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { named } from '../../drivers/sql-database/sql-statement.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { invariant } from '../../kernel/invariant.ts';

/*
 * What leaves the ledger for the column store. The outbox names the rows that records are about; binding writes down which
 * of them make a batch, one by one, and a batch never changes afterwards: before anything changes in a call that its record says, a
 * trigger leaves the line of before in the outbox, and nothing that waits there is pruned or, while a batch is open, erased. However
 * often it is read and inserted, and by whom, it is the same rows under the same id. Records leave the outbox in the transaction
 * that notes their arrival.
 */

/** The tables of the column store that the outbox feeds. */
export const exportTargets = ['usage', 'message_outcomes'] as const;
export type ExportTarget = (typeof exportTargets)[number];

/** Lines bound for one table, one JSON object each. */
export interface OutboxBatch {
  readonly id: Uuid;
  readonly target: ExportTarget;
  readonly lines: readonly string[];
  /** How many repairs of it were begun (beginRepair). */
  readonly repairs: number;
}

export interface ExportBacklog {
  /** Exact up to 2,000 of a table, beyond that an estimate within some hundredths. */
  readonly records: number;
  readonly openBatches: number;
  /** Age of the oldest record that is not in the column store yet, in seconds. */
  readonly oldestSeconds: number;
}

/**
 * Only one may bind at a time. A statement of its own, so that the one after it sees what was bound before: two that
 * looked at the same moment would take the same lines.
 */
const lockBinding = named('ledger.lock_export_binding', `select pg_advisory_xact_lock(7163081)`);

/** The line of record `o`, from its row where none stands in the outbox; null when that row is gone, which must never be. */
export const lineOfRecord = `coalesce(o.line, case o.target
     when 'usage' then (select millrace.usage_line(c, m, o.detail) from millrace.calls c left join millrace.messages m on m.id = c.message_id
       where c.id = o.subject)
     else (select millrace.outcome_line(m, o.detail) from millrace.messages m where m.id = o.subject and m.state = 'completed') end)`;

/** Whether a record `o` of the outbox can be rendered: it has its line, or the row that it is about is there. */
export const canBeRendered = `(o.line is not null or case o.target
     when 'usage' then exists (select from millrace.calls c where c.id = o.subject)
     else exists (select from millrace.messages m where m.id = o.subject and m.state = 'completed') end)`;

/**
 * Takes the oldest records that are in no batch. Writers of lower numbers that commit later are taken by a later batch. None
 * while an erasure is at work: it rewrites lines that are in no batch, and renames rows that no insert may join. A record whose row
 * is gone stays in the outbox, where its age tells of it.
 */
const bindBatch = named(
  'ledger.bind_export_batch',
  `with bound as materialized (
     select unnest(seqs) as seq from millrace.export_batches where exported_at is null and target = $2::text),
   chosen as materialized (
     select o.seq, ${lineOfRecord} as line, o.created_at from (
       select o.* from millrace.outbox o
       where o.target = $2::text and not exists (select from bound b where b.seq = o.seq)
         and not exists (select from millrace.erasures e where e.ended_at is null) and ${canBeRendered}
       order by o.seq limit $3) o),
   batch as (
     insert into millrace.export_batches (id, target, rows, seqs, oldest_at)
     select $1::uuid, $2::text, count(*), array_agg(seq), min(created_at) from chosen having count(*) > 0)
   select line from chosen order by seq`,
);

const listOpenBatches = named(
  'ledger.list_open_export_batches',
  `select id, target from millrace.export_batches where exported_at is null order by bound_at, id limit $1`,
);

/** No row when the batch is not open any more. */
const readBatch = named(
  'ledger.read_export_batch',
  `select (select array_agg(${lineOfRecord} order by o.seq) from unnest(b.seqs) as s(seq)
     join millrace.outbox o on o.target = b.target and o.seq = s.seq) as lines, b.repairs
   from millrace.export_batches b where b.id = $1::uuid and b.exported_at is null`,
);

const markExported = named(
  'ledger.mark_exported',
  `with gone as (
     delete from millrace.outbox o using millrace.export_batches b
     where b.id = $1::uuid and o.target = b.target and o.seq = any(b.seqs))
   update millrace.export_batches set exported_at = clock_timestamp(), seqs = null where id = $1::uuid and exported_at is null`,
);

/** $2 the repair's number. No row when another process has begun it, or the batch is open no more. */
const beginRepair = named(
  'ledger.begin_export_repair',
  `update millrace.export_batches set repairs = $2 where id = $1::uuid and repairs = $2 - 1 and exported_at is null returning id`,
);

const noteExportFailure = named(
  'ledger.note_export_failure',
  `update millrace.export_batches set tries = tries + 1, last_error = $2 where id = $1::uuid`,
);

/** $1 the id of a call: its records that are not in the column store. */
const listWaitingRecords = named(
  'ledger.list_waiting_records',
  `select ${lineOfRecord} as line from millrace.outbox o
   where o.target = 'usage' and (o.subject = $1::uuid or o.line like '%"call_id":"' || $1::uuid::text || '"%') order by o.seq`,
);

/** How many of a target's oldest and newest lines are counted one by one. */
const countedLines = 2000;

const endOfLines = (direction: string): string => `lateral (
       select count(*) as lines, max(e.seq) - min(e.seq) + 1 as places, min(e.seq) as first, max(e.seq) as last, min(e.created_at) as since
       from (select o.seq, o.created_at from millrace.outbox o where o.target = t.target order by o.seq ${direction} limit ${countedLines}) e)`;

/**
 * $1 targets. Up to ${countedLines} lines of a target are counted. Of more, the oldest and newest are, and how densely their
 * numbers lie says how many lie between them: nobody reads a million lines to say that there are a million.
 */
const measureBacklog = named(
  'ledger.measure_export_backlog',
  `select coalesce(sum(case when f.lines < ${countedLines} then f.lines
       else greatest(f.lines, f.lines + b.lines + (b.first - f.last - 1)::float8 * (f.lines + b.lines) / (f.places + b.places)) end), 0)::float8
       as records,
     (select count(*) from millrace.export_batches where exported_at is null)::int as open_batches,
     coalesce(extract(epoch from clock_timestamp() - min(f.since)), 0)::float8 as oldest_seconds
   from unnest($1::text[]) as t(target) cross join ${endOfLines('asc')} f cross join ${endOfLines('desc')} b`,
);

interface LineRow {
  readonly line: string;
}

export class ExportLedger {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Binds at most `limit` of the target's oldest unbound lines to a new batch; undefined when there are none. */
  async bind(id: Uuid, target: ExportTarget, limit: number): Promise<OutboxBatch | undefined> {
    const { rows } = await this.#database.transaction(async (transaction) => {
      await transaction.query(lockBinding);
      return transaction.query<LineRow>(bindBatch, [id, target, limit]);
    });
    return rows.length === 0 ? undefined : { id, target, lines: rows.map((row) => row.line), repairs: 0 };
  }

  /** Batches that were bound but not seen to arrive, oldest first. */
  async listOpen(limit: number): Promise<readonly { readonly id: Uuid; readonly target: ExportTarget }[]> {
    const { rows } = await this.#database.query<{ id: Uuid; target: ExportTarget }>(listOpenBatches, [limit]);
    return rows;
  }

  /**
   * The lines of a batch; undefined when it is open no more: another maintenance process has exported it meanwhile. Throws
   * MILLRACE_EXPORT_INCONSISTENT when rows that its records are about were removed by hand.
   */
  async read({
    id,
    target,
  }: {
    readonly id: Uuid;
    readonly target: ExportTarget;
  }): Promise<OutboxBatch | undefined> {
    const { rows } = await this.#database.query<{ lines: (string | null)[] | null; repairs: number }>(
      readBatch,
      [id],
    );
    const [row] = rows;
    if (row === undefined) return undefined;
    const lines = (row.lines ?? []).filter((line) => line !== null);
    if (row.lines === null || lines.length < row.lines.length) {
      throw new AppError(
        'MILLRACE_EXPORT_INCONSISTENT',
        `Rows that the records of export batch ${id} are about are gone from the ledger: someone removed them.`,
      );
    }
    return { id, target, lines, repairs: row.repairs };
  }

  /**
   * Notes that the repair of this number, one more than were begun, is about to be tried. False when another process was first: it alone
   * may try it.
   */
  async beginRepair(id: Uuid, number: number): Promise<boolean> {
    const { rows } = await this.#database.query<{ id: Uuid }>(beginRepair, [id, number]);
    return rows.length === 1;
  }

  /** The column store has the batch: its lines leave the outbox. */
  async markExported(id: Uuid): Promise<void> {
    await this.#database.query(markExported, [id]);
  }

  async noteFailure(id: Uuid, reason: string): Promise<void> {
    // It may quote the data that was refused.
    await this.#database.query(noteExportFailure, [id, reason.replaceAll('\u0000', '\uFFFD')]);
  }

  /** The usage records of a call that are not in the column store, in their order. */
  async waitingOfCall(call: Uuid): Promise<readonly string[]> {
    const { rows } = await this.#database.query<{ line: string | null }>(listWaitingRecords, [call]);
    return rows.flatMap(({ line }) => (line === null ? [] : [line]));
  }

  async backlog(): Promise<ExportBacklog> {
    const { rows } = await this.#database.query<{
      records: number;
      open_batches: number;
      oldest_seconds: number;
    }>(measureBacklog, [exportTargets]);
    const [row] = rows;
    invariant(row !== undefined, 'a select of scalars has one row');
    return {
      records: Math.round(row.records),
      openBatches: row.open_batches,
      oldestSeconds: row.oldest_seconds,
    };
  }
}
