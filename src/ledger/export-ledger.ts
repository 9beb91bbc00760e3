import type { SqlDatabase, SqlStatement } from '../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../kernel/ids.ts';
import { invariant } from '../kernel/invariant.ts';

/*
 * What leaves the ledger for the column store. Rendered lines wait in the outbox; binding moves some of them into a
 * batch in one statement, and a batch never changes afterwards. However often it is inserted, and whoever inserts it,
 * it is the same rows under the same id.
 */

/** The tables of the column store that the outbox feeds. */
export const exportTargets = ['usage', 'message_outcomes'] as const;
export type ExportTarget = (typeof exportTargets)[number];

/** Lines bound for one table, one JSON object a line, each with the batch's id in it. */
export interface ExportBatch {
  readonly id: Uuid;
  readonly target: ExportTarget;
  readonly rows: number;
  readonly lines: string;
  /** When its oldest line was written: now minus this is the lag. */
  readonly oldestAt: Date;
  readonly tries: number;
}

export interface ExportBacklog {
  readonly records: number;
  readonly openBatches: number;
  /** Age of the oldest record that is not in the column store yet, in seconds. */
  readonly oldestSeconds: number;
}

function named(name: string, text: string): SqlStatement {
  return { name, text };
}

const bindBatch = named(
  'ledger.bind_export_batch',
  `with taken as (
     delete from millrace.outbox where seq in (
       select seq from millrace.outbox where target = $2::text order by seq limit $3 for update skip locked)
     returning seq, line, created_at)
   insert into millrace.export_batches (id, target, rows, lines, oldest_at)
   select $1::uuid, $2::text, count(*),
     string_agg('{"export_batch":"' || $1::text || '",' || substr(line, 2), E'\\n' order by seq) || E'\\n', min(created_at)
   from taken having count(*) > 0
   returning id, target, rows, lines, oldest_at, tries`,
);

const listOpenBatches = named(
  'ledger.list_open_export_batches',
  `select id, target, rows, lines, oldest_at, tries from millrace.export_batches
   where exported_at is null order by bound_at limit $1`,
);

const markExported = named(
  'ledger.mark_exported',
  `update millrace.export_batches set exported_at = clock_timestamp(), lines = null where id = $1::uuid and exported_at is null`,
);

const noteExportFailure = named(
  'ledger.note_export_failure',
  `update millrace.export_batches set tries = tries + 1, last_error = $2 where id = $1::uuid`,
);

const measureBacklog = named(
  'ledger.measure_export_backlog',
  `select ((select count(*) from millrace.outbox)
       + (select coalesce(sum(rows), 0) from millrace.export_batches where exported_at is null))::int as records,
     (select count(*) from millrace.export_batches where exported_at is null)::int as open_batches,
     coalesce(extract(epoch from clock_timestamp() - least(
       (select created_at from millrace.outbox order by seq limit 1),
       (select min(oldest_at) from millrace.export_batches where exported_at is null))), 0)::float8 as oldest_seconds`,
);

interface BatchRow {
  readonly id: Uuid;
  readonly target: ExportTarget;
  readonly rows: number;
  readonly lines: string;
  readonly oldest_at: Date;
  readonly tries: number;
}

export class ExportLedger {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Binds at most `limit` of the target's oldest lines to a new batch; undefined when there are none. */
  async bind(id: Uuid, target: ExportTarget, limit: number): Promise<ExportBatch | undefined> {
    const { rows } = await this.#database.query<BatchRow>(bindBatch, [id, target, limit]);
    return rows[0] && batchOf(rows[0]);
  }

  /** Batches that were bound but not seen to arrive, oldest first. */
  async listOpen(limit: number): Promise<readonly ExportBatch[]> {
    const { rows } = await this.#database.query<BatchRow>(listOpenBatches, [limit]);
    return rows.map((row) => batchOf(row));
  }

  /** The column store has the batch. */
  async markExported(id: Uuid): Promise<void> {
    await this.#database.query(markExported, [id]);
  }

  async noteFailure(id: Uuid, reason: string): Promise<void> {
    await this.#database.query(noteExportFailure, [id, reason]);
  }

  async backlog(): Promise<ExportBacklog> {
    const { rows } = await this.#database.query<{ records: number; open_batches: number; oldest_seconds: number }>(
      measureBacklog,
    );
    const [row] = rows;
    invariant(row !== undefined, 'a select of scalars has one row');
    return { records: row.records, openBatches: row.open_batches, oldestSeconds: row.oldest_seconds };
  }
}

function batchOf(row: BatchRow): ExportBatch {
  return {
    id: row.id,
    target: row.target,
    rows: row.rows,
    lines: row.lines,
    oldestAt: row.oldest_at,
    tries: row.tries,
  };
}
