import type { SqlDatabase, SqlStatement } from '../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../kernel/ids.ts';
import type { Origin } from '../../messages/origin.ts';
import { expireAllLeases, sweepMessages } from './sweep-sql.ts';
import type { MessageState } from './message-state.ts';
import { type OriginColumns, originOfColumns } from './stored-message.ts';

/** A message that should have been looked at, or of which the queue must be notified again. */
export interface OverdueMessage {
  readonly id: Uuid;
  readonly stage: string;
  readonly fencingToken: number;
  readonly lane: string;
  readonly origin: Origin;
  readonly traceParent: string;
  /** What it was; one whose lease ran out is pending now. */
  readonly state: MessageState;
  /** Whether it must wait until what it is parked for is lifted. */
  readonly isParked: boolean;
  /** How long until it is due; 0 when it is. */
  readonly dueInMs: number;
}

const acquireRole: SqlStatement = {
  name: 'ledger.acquire_role',
  text: `insert into millrace.role_leases (role, holder, until)
   values ($1, $2, clock_timestamp() + $3::int * interval '1 millisecond')
   on conflict (role) do update set holder = excluded.holder, until = excluded.until
   where millrace.role_leases.holder = excluded.holder or millrace.role_leases.until < clock_timestamp()
   returning role`,
};

const releaseRole: SqlStatement = {
  name: 'ledger.release_role',
  text: `delete from millrace.role_leases where role = $1 and holder = $2`,
};

/** A message's row, as far as waking its stage needs it. */
export interface NotifyRow extends OriginColumns {
  readonly id: Uuid;
  readonly stage: string;
  readonly fencing_token: number;
  readonly lane: string;
  readonly trace_parent: string;
  readonly state: MessageState;
  readonly is_parked: boolean;
  readonly due_in_ms?: number;
}

/** The ledger as the maintenance role sees it: what was forgotten, what is there, and which process does which background job. */
export class SweepLedger {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** What should have been seen by now, at most `limit`; leases that ran out end, and the next sweep moves away. */
  async sweep(limit: number): Promise<readonly OverdueMessage[]> {
    const { rows } = await this.#database.query<NotifyRow>(sweepMessages, [limit]);
    return rows.map((row) => overdueOf(row));
  }

  /** Ends every lease. Only for a store that this process alone owns, before it takes work. */
  async expireAllLeases(): Promise<number> {
    const { rows } = await this.#database.query(expireAllLeases);
    return rows.length;
  }

  /** Takes or renews a background job that one process at a time may do; false while another holds it. */
  async acquireRole(role: string, holder: string, forMs: number): Promise<boolean> {
    const { rows } = await this.#database.query(acquireRole, [role, holder, forMs]);
    return rows.length === 1;
  }

  async releaseRole(role: string, holder: string): Promise<void> {
    await this.#database.query(releaseRole, [role, holder]);
  }
}

/** The message as its row tells it. */
export function overdueOf(row: NotifyRow): OverdueMessage {
  return {
    id: row.id,
    stage: row.stage,
    fencingToken: row.fencing_token,
    lane: row.lane,
    origin: originOfColumns(row),
    traceParent: row.trace_parent,
    state: row.state,
    isParked: row.is_parked,
    dueInMs: row.due_in_ms ?? 0,
  };
}
