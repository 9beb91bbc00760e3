import { jsonRows } from '../../drivers/sql-database/json-rows.ts';
import type { SqlDatabase, SqlExecutor } from '../../drivers/sql-database/sql-database.ts';
import type { GroupCommit } from '../../kernel/group-commit.ts';
import { type Uuid, derivedId } from '../../kernel/ids.ts';
import { invariant } from '../../kernel/invariant.ts';
import { type Usd, usd } from '../../kernel/money.ts';
import { writeSplittingRefused } from '../../kernel/split-refused.ts';
import { type AttributedCall, type AttributedCallRow, attributedCallOf } from './attributed-call.ts';
import { abandonCalls, settleLateCalls, settleQuotaCalls } from './quota-sql.ts';
import { QuotaCalls } from './quota-calls.ts';
import { abandonedRow, type CallRow, lateSettlementRow, reservationRow, settlementRow } from './call-rows.ts';
import * as sql from './call-sql.ts';
import { CascadeLedger } from './cascade-ledger.ts';
import { ledgerGroup, type LedgerGroupOptions } from './ledger-group.ts';
import { InvalidOutputLedger } from './invalid-output-ledger.ts';
import type { Reservation, ReserveOutcome } from './reservation.ts';
import type { CallOutcome, CascadeVerdict, SettledCall, Settlement } from './settlement.ts';

export type { CallOutcome, SettledCall, Reservation, ReserveOutcome, Settlement };

/*
 * The ledger's half about calls: reserve ─► (request) ─► settle, or, when nobody can say how it went, unsettled.
 *
 *   reserved ─► settled      the outcome is known: usage, price and answer are durable before anyone sees the answer
 *       └─────► unsettled    the outcome is unknown (process died, time-out, abort): the upper bound stands
 *                   └──────► settled   the truth came after all: a correction record closes the difference
 */

/** A call that was made for a message before. */
export interface RecordedCall {
  readonly id: Uuid;
  readonly fencingToken: number;
  readonly step: string;
  readonly ordinal: number;
  readonly attempt: number;
  readonly requestDigest: string;
  readonly state: 'reserved' | 'settled' | 'unsettled';
  readonly outcome: CallOutcome | undefined;
  /** A request of its own, or one that was put off to be sent together with others. */
  readonly requestKind: 'single' | 'batch';
  /** How it failed; undefined for one that did not, or has not ended. */
  readonly errorType: string | undefined;
  readonly answer: { readonly json: string } | { readonly reference: string } | undefined;
  readonly costUsd: Usd | undefined;
  /** The answer was found to be of no use. */
  readonly isInvalidated: boolean;
  /** What became of it in its cascade; undefined where that is not decided, or there is none. */
  readonly verdict?: CascadeVerdict | undefined;
  /** It was put off, and its message was given up on after that and lives again. */
  readonly isOfEarlierLife: boolean;
}

/**
 * The ledger's own counts and sums, with those of pruned calls: calls are reserved, unsettled, succeeded or failed. Amounts are exact.
 */
export interface CallTotals {
  readonly calls: number;
  readonly reserved: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly estimated: number;
  readonly unsettled: number;
  /** Settled without a known price, or of unknown outcome without a known upper bound: as reports count them. */
  readonly unpriced: number;
  /** Everything settled, estimates included. */
  readonly settledUsd: Usd;
  readonly estimatedUsd: Usd;
  /** What the estimated calls may have cost at most. */
  readonly estimatedUpperUsd: Usd;
  /** What the reserved and unsettled calls may have cost at most. */
  readonly openUpperUsd: Usd;
}

/** The id of a call follows from what it is made for: message (or request), step, ordinal and attempt. */
export function callId(at: Date, messageId: string, step: string, ordinal: number, attempt: number): Uuid {
  return derivedId(at, 'call', messageId, step, String(ordinal), String(attempt));
}

export interface CallLedgerOptions extends LedgerGroupOptions {
  readonly database: SqlDatabase;
}

export class CallLedger {
  readonly #database: SqlDatabase;
  /** Answers that turn out to be of no use. */
  readonly invalidOutputs: InvalidOutputLedger;
  /** What became of answers in cascades. */
  readonly cascades: CascadeLedger;
  readonly #reserve: GroupCommit<CallRow, ReserveOutcome>;
  readonly #settle: GroupCommit<CallRow, boolean>;
  readonly #quotaCalls: QuotaCalls;

  constructor({ database, ...groups }: CallLedgerOptions) {
    this.#database = database;
    this.invalidOutputs = new InvalidOutputLedger(database);
    this.cascades = new CascadeLedger(database);
    this.#quotaCalls = new QuotaCalls({ database, ...groups });
    this.#reserve = ledgerGroup('reserve', groups, (items) => this.#writeReservations(items));
    this.#settle = ledgerGroup('settle', groups, (items) => this.#writeSettlements(items));
  }

  /** Makes the call's row durable, with what it takes of its quotas. Unless it is reserved, it must not be sent. */
  async reserve(reservation: Reservation): Promise<ReserveOutcome> {
    const hasQuotas = reservation.quotas !== undefined && reservation.quotas.length > 0;
    if (hasQuotas) return await this.#quotaCalls.reserve(reservation);
    return await this.#reserve.submit(reservationRow(reservation));
  }

  /**
   * Makes answer, usage and price durable, and with them what its usage record says. False: the call was given up as unsettled
   * meanwhile; `settleLate` then closes the difference.
   */
  async settle(settlement: SettledCall): Promise<boolean> {
    if (settlement.hasQuotas === true) return await this.#quotaCalls.settle(settlement);
    return await this.#settle.submit(settlementRow(settlement));
  }

  /** Settles a call that had been given up, with its rendered corrections. False: somebody else did. */
  async settleLate(settlement: SettledCall, corrections: readonly string[]): Promise<boolean> {
    const { row } = lateSettlementRow(settlement, corrections);
    const { rows } = await this.#database.query(settleLateCalls, [jsonRows([row])]);
    return rows.length === 1;
  }

  /** The calls made for a message so far, in order. */
  async callsOf(messageId: Uuid): Promise<readonly RecordedCall[]> {
    const { rows } = await this.#database.query<RecordedCallRow>(sql.listCalls, [[messageId]]);
    return rows.map((row) => recordedCallOf(row));
  }

  /** Those of these calls that were put off and are not settled yet, with whom they are made for. */
  async findDeferred(ids: readonly Uuid[], executor: SqlExecutor): Promise<readonly AttributedCall[]> {
    const { rows } = await executor.query<AttributedCallRow>(sql.findDeferredCalls, [ids]);
    return rows.map((row) => attributedCallOf(row));
  }

  /**
   * Settles calls within a transaction of whoever kept them, with their quotas. Answers the ids of those that were still open. Throws
   * MILLRACE_DATA_REFUSED for what one of them holds.
   */
  async settleWithin(executor: SqlExecutor, settlements: readonly SettledCall[]): Promise<ReadonlySet<Uuid>> {
    const rows = jsonRows(settlements.map((settlement) => settlementRow(settlement).row));
    const result = await executor.query<{ id: Uuid }>(settleQuotaCalls, [rows]);
    return new Set(result.rows.map(({ id }) => id));
  }

  /** Calls that nobody waits for any more though they were never settled. */
  async listAbandoned(graceMs: number, limit: number): Promise<readonly AttributedCall[]> {
    const { rows } = await this.#database.query<AttributedCallRow>(sql.listAbandonedCalls, [graceMs, limit]);
    return rows.map((row) => attributedCallOf(row));
  }

  /**
   * Gives calls up as unsettled, with their rendered usage records. Answers how many still were open. Throws what a call was
   * refused for, after all others are given up.
   */
  async abandon(calls: readonly { readonly id: Uuid; readonly line: string }[]): Promise<number> {
    let given = 0;
    const refusals: unknown[] = [];
    await writeSplittingRefused(
      calls,
      async (part) => {
        const rows = jsonRows(part.map((call) => abandonedRow(call).row));
        const result = await this.#database.query<{ id: Uuid }>(abandonCalls, [rows]);
        const open = new Set(result.rows.map(({ id }) => id));
        return part.map(({ id }) => open.delete(id));
      },
      (_call, outcome) => {
        if (outcome.status === 'rejected') refusals.push(outcome.reason);
        else if (outcome.value) given += 1;
      },
    );
    if (refusals.length > 0) throw refusals[0];
    return given;
  }

  async totals(): Promise<CallTotals> {
    const { rows } = await this.#database.query<CallTotalsRow>(sql.totalCalls);
    const [row] = rows;
    invariant(row !== undefined, 'an aggregate without groups has one row');
    return {
      calls: row.calls,
      reserved: row.reserved,
      succeeded: row.succeeded,
      failed: row.failed,
      estimated: row.estimated,
      unsettled: row.unsettled,
      unpriced: row.unpriced,
      settledUsd: usd(row.settled_usd),
      estimatedUsd: usd(row.estimated_usd),
      estimatedUpperUsd: usd(row.estimated_upper_usd),
      openUpperUsd: usd(row.open_upper_usd),
    };
  }

  /** Which share of the latest 2,000 messages and calls has a complete origin, 0 to 1. */
  async measureCoverage(): Promise<number> {
    const { rows } = await this.#database.query<{ coverage: number }>(sql.measureCoverage);
    const [row] = rows;
    invariant(row !== undefined, 'a select of scalars has one row');
    return row.coverage;
  }

  async #writeReservations(items: readonly CallRow[]): Promise<ReserveOutcome[]> {
    const { rows } = await this.#database.query<AnsweredRow>(sql.reserveCalls, [
      jsonRows(items.map(({ row }) => row)),
    ]);
    const answered = new Map(rows.map((row) => [row.id, row]));
    return items.map(({ id }) => {
      const row = answered.get(id);
      if (row === undefined) return { kind: 'lease_expired' };
      if (row.block !== null) return { kind: 'blocked', block: row.block };
      invariant(row.reserved_at !== null, 'a call that is reserved was so at a time');
      answered.delete(id); // the same call twice in one group: the second is not to be sent
      return { kind: 'reserved', at: row.reserved_at };
    });
  }

  async #writeSettlements(items: readonly CallRow[]): Promise<boolean[]> {
    const { rows } = await this.#database.query<{ id: Uuid }>(sql.settleCalls, [
      jsonRows(items.map(({ row }) => row)),
    ]);
    const settled = new Set(rows.map((row) => row.id));
    return items.map((item) => settled.delete(item.id));
  }
}

/** The outcome of asking for a call: reserved at that time, or blocked by that. */
interface AnsweredRow {
  readonly id: Uuid;
  readonly block: Uuid | null;
  readonly reserved_at: Date | null;
}

interface RecordedCallRow {
  readonly id: Uuid;
  readonly fencing_token: number;
  readonly step: string;
  readonly ordinal: number;
  readonly attempt: number;
  readonly request_digest: string;
  readonly state: 'reserved' | 'settled' | 'unsettled';
  readonly outcome: CallOutcome | null;
  readonly request_kind: 'single' | 'batch';
  readonly error_type: string | null;
  readonly answer: string | null;
  readonly answer_ref: string | null;
  readonly cost_usd: string | null;
  readonly is_invalidated: boolean;
  readonly cascade_verdict: CascadeVerdict | null;
  readonly is_of_earlier_life: boolean;
}

interface CallTotalsRow {
  readonly calls: number;
  readonly reserved: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly estimated: number;
  readonly unsettled: number;
  readonly unpriced: number;
  readonly settled_usd: string;
  readonly estimated_usd: string;
  readonly estimated_upper_usd: string;
  readonly open_upper_usd: string;
}

function recordedCallOf(row: RecordedCallRow): RecordedCall {
  return {
    id: row.id,
    fencingToken: row.fencing_token,
    step: row.step,
    ordinal: row.ordinal,
    attempt: row.attempt,
    requestDigest: row.request_digest,
    state: row.state,
    outcome: row.outcome ?? undefined,
    requestKind: row.request_kind,
    errorType: row.error_type ?? undefined,
    answer: answerOf(row),
    costUsd: row.cost_usd === null ? undefined : usd(row.cost_usd),
    isInvalidated: row.is_invalidated,
    verdict: row.cascade_verdict ?? undefined,
    isOfEarlierLife: row.is_of_earlier_life,
  };
}

function answerOf(row: { answer: string | null; answer_ref: string | null }): RecordedCall['answer'] {
  if (row.answer_ref !== null) return { reference: row.answer_ref };
  return row.answer === null ? undefined : { json: row.answer };
}
