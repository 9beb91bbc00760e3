import type { SqlDatabase, SqlStatement } from '../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../kernel/ids.ts';
import type { Origin } from '../../messages/origin.ts';
import type { OperationRecord } from '../../engine/ledger/operation-record.ts';
import type { Viewer } from '../../http/operator.ts';
import * as sql from './message-operations-sql.ts';
import { type MessageFilter, selectionParameters } from './message-selection.ts';
import type { MessageState } from '../../engine/ledger/message-state.ts';
import { releaseHeads } from '../../engine/ledger/order-sql.ts';
import {
  leasedMessageOf,
  type LeasedMessage,
  type MessageRow,
  type OriginColumns,
  originOfColumns,
} from '../../engine/ledger/stored-message.ts';

/** A message that an operation touched, with what it takes to notify its stage. */
export interface SteeredMessage {
  readonly id: Uuid;
  readonly stage: string;
  readonly owner: string;
  readonly lane: string;
  readonly origin: Origin;
  readonly traceParent: string;
  readonly fencingToken: number;
  readonly orderKey: string | undefined;
}

/** An open message that an operation selected. */
export interface OpenMessage {
  readonly id: Uuid;
  readonly stage: string;
  readonly owner: string;
}

/** What a message that was named is, and what keeps it waiting. */
export interface DescribedMessage {
  readonly id: Uuid;
  readonly state: MessageState;
  readonly parkedFor: string | undefined;
  readonly isDueLater: boolean;
}

/** A message to be cancelled, as it was read, with its rendered record for the column store. */
export interface Cancellation {
  readonly id: Uuid;
  readonly fencingToken: number;
  readonly outcomeLine: string;
}

/** An operator's hand on messages that have not ended. */
export class MessageOperations {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Open messages of the selection, oldest first; `later`: only those that wait for a time. */
  async select(
    filter: MessageFilter,
    viewer: Viewer,
    { later, limit }: { readonly later: boolean; readonly limit: number },
  ): Promise<readonly OpenMessage[]> {
    const { rows } = await this.#database.query<OpenMessage>(sql.selectOpenMessages, [
      ...selectionParameters(filter, viewer),
      later,
      limit,
    ]);
    return rows;
  }

  /** What each of these is; those that the viewer may not see are left out. */
  async describe(ids: readonly Uuid[], viewer: Viewer): Promise<readonly DescribedMessage[]> {
    const { rows } = await this.#database.query<DescribedRow>(sql.describeMessages, [ids, viewer.team]);
    return rows.map(({ id, state, parked_for: parkedFor, is_due_later: isDueLater }) => ({
      id,
      state,
      parkedFor: parkedFor ?? undefined,
      isDueLater,
    }));
  }

  /** Those of them that are open, as they are now. */
  async readOpen(
    ids: readonly Uuid[],
  ): Promise<readonly { readonly message: LeasedMessage; readonly state: MessageState }[]> {
    const { rows } = await this.#database.query<MessageRow & { readonly state: MessageState }>(
      sql.readOpenMessages,
      [ids],
    );
    return rows.map((row) => ({ message: leasedMessageOf(row), state: row.state }));
  }

  /** Ends these for good, if they still are as they were read, and lets the next of their order keys go. */
  async cancel(
    cancellations: readonly Cancellation[],
    record: OperationRecord,
    detail: string,
  ): Promise<readonly SteeredMessage[]> {
    const told = cancellations.map(({ id, fencingToken, outcomeLine: line }) => ({
      id,
      fencing_token: fencingToken,
      line,
    }));
    const cancelled = await this.#operate(sql.cancelMessages, 'messages.cancel', record, [
      JSON.stringify(told),
      detail,
    ]);
    const keyed = cancelled.filter(({ orderKey }) => orderKey !== undefined);
    // As after a claim: whoever dies before this leaves it to the sweeper.
    if (keyed.length > 0)
      await this.#database.query(releaseHeads, [
        keyed.map(({ stage }) => stage),
        keyed.map(({ orderKey }) => orderKey),
      ]);
    return cancelled;
  }

  /** Makes those of them that only time keeps waiting due now. */
  hurry(ids: readonly Uuid[], record: OperationRecord): Promise<readonly SteeredMessage[]> {
    return this.#operate(sql.hurryMessages, 'messages.retry', record, [ids]);
  }

  /** Which of the runs in progress an operator has cancelled. */
  async cancelledAmong(
    runs: readonly { readonly id: Uuid; readonly fencingToken: number }[],
  ): Promise<ReadonlySet<Uuid>> {
    if (runs.length === 0) return new Set();
    const { rows } = await this.#database.query<{ id: Uuid }>(sql.findCancelledRuns, [
      runs.map(({ id }) => id),
      runs.map(({ fencingToken }) => fencingToken),
    ]);
    return new Set(rows.map(({ id }) => id));
  }

  async #operate(
    statement: SqlStatement,
    action: string,
    { id, actor, target, detail, reason }: OperationRecord,
    [what, ...more]: readonly unknown[],
  ): Promise<readonly SteeredMessage[]> {
    const parameters = [what, id, actor, action, target, JSON.stringify(detail), reason, ...more];
    const { rows } = await this.#database.query<SteeredRow>(statement, parameters);
    return rows.map((row) => ({
      id: row.id,
      stage: row.stage,
      owner: row.owner,
      lane: row.lane,
      origin: originOfColumns(row),
      traceParent: row.trace_parent,
      fencingToken: row.fencing_token,
      orderKey: row.order_key ?? undefined,
    }));
  }
}

interface DescribedRow {
  readonly id: Uuid;
  readonly state: MessageState;
  readonly parked_for: string | null;
  readonly is_due_later: boolean;
}

interface SteeredRow extends OriginColumns {
  readonly id: Uuid;
  readonly stage: string;
  readonly owner: string;
  readonly lane: string;
  readonly trace_parent: string;
  readonly fencing_token: number;
  readonly order_key: string | null;
}
