import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import type { Clock } from '../kernel/clock.ts';
import { type Uuid, derivedId } from '../kernel/ids.ts';
import { invariant } from '../kernel/invariant.ts';
import { type Usd, formatUsd, usd } from '../kernel/money.ts';
import type { Origin } from '../messages/origin.ts';
import type { TokenCounts } from '../pricing/token-classes.ts';
import { type AbandonedCall, type AbandonedCallRow, abandonedCallOf } from './abandoned-call.ts';
import * as sql from './call-sql.ts';
import { type FlushObserver, GroupCommit } from './group-commit.ts';
import { RejectionLedger } from './rejection-ledger.ts';
import type { CallOutcome, Settlement } from './settlement.ts';

export type { CallOutcome, Settlement };

/*
 * The ledger's half about calls: reserve ─► (request) ─► settle, or, when nobody can say how it went, unsettled.
 *
 *   reserved ─► settled      the outcome is known: usage, price and answer are durable before anyone sees the answer
 *       └─────► unsettled    the outcome is unknown (process died, time-out, abort): the upper bound stands
 *                   └──────► settled   the truth came after all: a correction record closes the difference
 */

/** A call about to be made. */
export interface Reservation {
  readonly id: Uuid;
  /** The message it is made for, with the fence of its lease; absent for calls outside a stage. */
  readonly message: { readonly id: Uuid; readonly fence: number } | undefined;
  /** For calls outside a stage: who caused it. */
  readonly origin: Origin | undefined;
  readonly step: string;
  readonly ordinal: number;
  readonly attempt: number;
  readonly provider: string;
  readonly model: string;
  readonly operation: string;
  readonly tier: string;
  readonly requestKind: 'single' | 'batch';
  /** Digest of the canonical request: what was asked. */
  readonly requestDigest: string;
  /** What the call can cost at most; undefined when no price is known. */
  readonly upperBoundUsd: Usd | undefined;
  /** What the answer can depend on besides the prompt, as JSON. */
  readonly parameters?: string;
}

/** What became of a call. */
export interface CallSettlement {
  readonly id: Uuid;
  readonly state: 'settled' | 'unsettled';
  readonly outcome: CallOutcome;
  readonly settlement: Settlement;
  readonly errorType: string | undefined;
  readonly answeredModel: string | undefined;
  readonly tier: string;
  readonly providerRequestId: string | undefined;
  readonly tokens: TokenCounts;
  /** The provider's usage block, as it came. */
  readonly rawUsage: string | undefined;
  /** Undefined when unpriced or unsettled. */
  readonly costUsd: Usd | undefined;
  /** What it may have cost at most, while that is open: estimated and unsettled calls. */
  readonly upperBoundUsd: Usd | undefined;
  readonly priceReference: string | undefined;
  readonly priceCatalogue: string | undefined;
  readonly wasteReason: string | undefined;
  readonly durationMs: number;
  readonly firstChunkMs: number | undefined;
  /** The answer to be reused, as JSON or as a reference into the payload store. */
  readonly answer: { readonly json: string } | { readonly reference: string } | undefined;
  /** The answer is of no use and is never given again. */
  readonly isRejected?: boolean;
  /** The rendered usage record. */
  readonly line: string;
}

/** A call that was made for a message before. */
export interface RecordedCall {
  readonly id: Uuid;
  readonly fence: number;
  readonly step: string;
  readonly ordinal: number;
  readonly attempt: number;
  readonly requestDigest: string;
  readonly state: 'reserved' | 'settled' | 'unsettled';
  readonly outcome: CallOutcome | undefined;
  readonly answer: { readonly json: string } | { readonly reference: string } | undefined;
  readonly costUsd: Usd | undefined;
  /** The answer was found to be of no use. */
  readonly isRejected: boolean;
}

/** The ledger's own sums. Amounts are exact. */
export interface CallTotals {
  readonly calls: number;
  readonly reserved: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly estimated: number;
  readonly unsettled: number;
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

export interface CallLedgerOptions {
  readonly database: SqlDatabase;
  readonly clock: Clock;
  readonly onFlush?: FlushObserver;
}

export class CallLedger {
  readonly #database: SqlDatabase;
  /** Answers that turn out to be of no use. */
  readonly rejections: RejectionLedger;
  readonly #reserve: GroupCommit<Reservation, boolean>;
  readonly #settle: GroupCommit<CallSettlement, boolean>;

  constructor({ database, clock, onFlush }: CallLedgerOptions) {
    this.#database = database;
    this.rejections = new RejectionLedger(database);
    this.#reserve = new GroupCommit({
      name: 'reserve',
      clock,
      maxGroup: 400,
      flush: (items) => this.#writeReservations(items),
      onFlush: (size, durationMs) => onFlush?.('reserve', size, durationMs),
    });
    this.#settle = new GroupCommit({
      name: 'settle',
      clock,
      maxGroup: 400,
      flush: (items) => this.#writeSettlements(items),
      onFlush: (size, durationMs) => onFlush?.('settle', size, durationMs),
    });
  }

  /** Makes the call's row durable. False: the lease has passed on (or this very call was made), do not send it. */
  reserve(reservation: Reservation): Promise<boolean> {
    return this.#reserve.submit(reservation);
  }

  /**
   * Makes answer, usage and price durable, with the usage record. False: the call was given up as unsettled
   * meanwhile; `settleLate` then closes the difference.
   */
  settle(settlement: CallSettlement): Promise<boolean> {
    return this.#settle.submit(settlement);
  }

  /** Settles a call that had been given up; its line must be the correction. False: somebody else did. */
  async settleLate(settlement: CallSettlement): Promise<boolean> {
    const { rows } = await this.#database.query(sql.settleLateCall, [
      JSON.stringify([settlementRow(settlement)]),
    ]);
    return rows.length === 1;
  }

  /** The calls made for a message so far, in order. */
  async callsOf(messageId: Uuid): Promise<readonly RecordedCall[]> {
    const { rows } = await this.#database.query<RecordedCallRow>(sql.listCalls, [[messageId]]);
    return rows.map((row) => recordedCallOf(row));
  }

  /** Calls that nobody waits for any more though they were never settled. */
  async listAbandoned(graceMs: number, limit: number): Promise<readonly AbandonedCall[]> {
    const { rows } = await this.#database.query<AbandonedCallRow>(sql.listAbandonedCalls, [graceMs, limit]);
    return rows.map((row) => abandonedCallOf(row));
  }

  /** Gives calls up as unsettled, with their rendered usage records. Answers how many still were open. */
  async abandon(calls: readonly { readonly id: Uuid; readonly line: string }[]): Promise<number> {
    const { rows } = await this.#database.query(sql.abandonCalls, [JSON.stringify(calls)]);
    return rows.length;
  }

  async totals(): Promise<CallTotals> {
    const { rows } = await this.#database.query<CallTotalsRow>(sql.totalCalls);
    const [row] = rows;
    invariant(row !== undefined, 'an aggregate without groups has one row');
    return {
      calls: row.calls + row.pruned_calls,
      reserved: row.reserved,
      succeeded: row.succeeded,
      failed: row.failed,
      estimated: row.estimated,
      unsettled: row.unsettled,
      unpriced: row.unpriced,
      settledUsd: usd(row.settled_usd).plus(usd(row.pruned_usd)),
      estimatedUsd: usd(row.estimated_usd),
      estimatedUpperUsd: usd(row.estimated_upper_usd),
      openUpperUsd: usd(row.open_upper_usd),
    };
  }

  /** How many calls have no known outcome, and the share of the latest 2,000 records with a complete origin. */
  async measure(): Promise<{ readonly unsettled: number; readonly coverage: number }> {
    const { rows } = await this.#database.query<{ unsettled: number; coverage: number }>(sql.measureCalls);
    return rows[0] ?? { unsettled: 0, coverage: 1 };
  }

  async #writeReservations(items: readonly Reservation[]): Promise<boolean[]> {
    const { rows } = await this.#database.query<{ id: Uuid }>(sql.reserveCalls, [
      JSON.stringify(items.map((item) => reservationRow(item))),
    ]);
    const reserved = new Set(rows.map((row) => row.id));
    return items.map((item) => reserved.delete(item.id));
  }

  async #writeSettlements(items: readonly CallSettlement[]): Promise<boolean[]> {
    const { rows } = await this.#database.query<{ id: Uuid }>(sql.settleCalls, [
      JSON.stringify(items.map((item) => settlementRow(item))),
    ]);
    const settled = new Set(rows.map((row) => row.id));
    return items.map((item) => settled.delete(item.id));
  }
}

interface RecordedCallRow {
  readonly id: Uuid;
  readonly fence: number;
  readonly step: string;
  readonly ordinal: number;
  readonly attempt: number;
  readonly request_digest: string;
  readonly state: 'reserved' | 'settled' | 'unsettled';
  readonly outcome: CallOutcome | null;
  readonly answer: string | null;
  readonly answer_ref: string | null;
  readonly cost_usd: string | null;
  readonly is_rejected: boolean;
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
  readonly pruned_calls: number;
  readonly pruned_usd: string;
}

function reservationRow(item: Reservation): Record<string, unknown> {
  return {
    id: item.id,
    message_id: item.message?.id,
    fence: item.message?.fence,
    origin: item.origin === undefined ? undefined : JSON.stringify(item.origin),
    step: item.step,
    ordinal: item.ordinal,
    attempt: item.attempt,
    provider: item.provider,
    model: item.model,
    operation: item.operation,
    tier: item.tier,
    request_kind: item.requestKind,
    request_digest: item.requestDigest,
    upper_bound_usd: amount(item.upperBoundUsd),
    parameters: item.parameters,
  };
}

function settlementRow(item: CallSettlement): Record<string, unknown> {
  return {
    id: item.id,
    state: item.state,
    outcome: item.outcome,
    settlement: item.settlement,
    error_type: item.errorType,
    answered_model: item.answeredModel,
    tier: item.tier,
    provider_request_id: item.providerRequestId,
    tokens: JSON.stringify(item.tokens),
    raw_usage: item.rawUsage,
    cost_usd: amount(item.costUsd),
    upper_bound_usd: amount(item.upperBoundUsd),
    price_reference: item.priceReference,
    price_catalogue: item.priceCatalogue,
    waste_reason: item.wasteReason,
    duration_ms: Math.round(item.durationMs),
    first_chunk_ms: item.firstChunkMs === undefined ? undefined : Math.round(item.firstChunkMs),
    answer: item.answer !== undefined && 'json' in item.answer ? item.answer.json : undefined,
    answer_ref: item.answer !== undefined && 'reference' in item.answer ? item.answer.reference : undefined,
    is_rejected: item.isRejected,
    line: item.line,
  };
}

function recordedCallOf(row: RecordedCallRow): RecordedCall {
  return {
    id: row.id,
    fence: row.fence,
    step: row.step,
    ordinal: row.ordinal,
    attempt: row.attempt,
    requestDigest: row.request_digest,
    state: row.state,
    outcome: row.outcome ?? undefined,
    answer: answerOf(row),
    costUsd: row.cost_usd === null ? undefined : usd(row.cost_usd),
    isRejected: row.is_rejected,
  };
}

function answerOf(row: { answer: string | null; answer_ref: string | null }): RecordedCall['answer'] {
  if (row.answer_ref !== null) return { reference: row.answer_ref };
  return row.answer === null ? undefined : { json: row.answer };
}

function amount(value: Usd | undefined): string | undefined {
  return value === undefined ? undefined : formatUsd(value);
}
