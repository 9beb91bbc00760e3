import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { named } from '../../drivers/sql-database/sql-statement.ts';

/*
 * Payloads that pruning left without a row. Their references are noted in the transaction that deletes the rows, so
 * that none is forgotten when a process dies before the payload store has removed it.
 */

export interface PayloadRemoval {
  readonly reference: string;
  /** Another row has the same content; whoever prunes that one notes it again. */
  readonly isNeeded: boolean;
}

/** $1 how many. */
const listRemovals = named(
  'ledger.list_payload_removals',
  `select r.reference,
     exists (select from millrace.messages m where m.body_ref = r.reference)
       or exists (select from millrace.calls c where c.answer_ref = r.reference)
       or exists (select from millrace.event_waits w where w.default_ref = r.reference)
       or exists (select from millrace.held_payloads h where h.reference = r.reference) as is_needed
   from millrace.payload_removals r where r.due_at <= statement_timestamp() order by r.due_at limit $1`,
);

const forgetRemovals = named(
  'ledger.forget_payload_removals',
  `delete from millrace.payload_removals where reference = any($1::text[])`,
);

const postponeRemovals = named(
  'ledger.postpone_payload_removals',
  `update millrace.payload_removals set due_at = clock_timestamp() + $2::float8 * interval '1 millisecond'
   where reference = any($1::text[])`,
);

/** The payloads that pruned rows leave behind. */
export class PayloadRemovals {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async listDue(limit: number): Promise<readonly PayloadRemoval[]> {
    const { rows } = await this.#database.query<{ reference: string; is_needed: boolean }>(listRemovals, [
      limit,
    ]);
    return rows.map((row) => ({ reference: row.reference, isNeeded: row.is_needed }));
  }

  /** They are removed, or needed by other rows. */
  async forget(references: readonly string[]): Promise<void> {
    if (references.length > 0) await this.#database.query(forgetRemovals, [references]);
  }

  async postpone(references: readonly string[], delayMs: number): Promise<void> {
    if (references.length > 0) await this.#database.query(postponeRemovals, [references, delayMs]);
  }
}
