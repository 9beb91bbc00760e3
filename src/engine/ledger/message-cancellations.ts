import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../kernel/ids.ts';
import type { Origin } from '../../messages/origin.ts';
import type { MessageState } from './message-state.ts';
import type { OperationRecord } from './operation-record.ts';
import { releaseHeads } from './order-sql.ts';
import { cancelMessages, readOpenMessages } from './steering-sql.ts';
import {
  leasedMessageOf,
  type LeasedMessage,
  type MessageRow,
  type OriginColumns,
  originOfColumns,
} from './stored-message.ts';

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

/** A message to be cancelled, as it was read, with its rendered record for the column store. */
export interface Cancellation {
  readonly id: Uuid;
  readonly fencingToken: number;
  readonly outcomeLine: string;
}

/** The columns that tell of a message that an operation touched. */
export interface SteeredRow extends OriginColumns {
  readonly id: Uuid;
  readonly stage: string;
  readonly owner: string;
  readonly lane: string;
  readonly trace_parent: string;
  readonly fencing_token: number;
  readonly order_key: string | null;
}

export function steeredMessageOf(row: SteeredRow): SteeredMessage {
  return {
    id: row.id,
    stage: row.stage,
    owner: row.owner,
    lane: row.lane,
    origin: originOfColumns(row),
    traceParent: row.trace_parent,
    fencingToken: row.fencing_token,
    orderKey: row.order_key ?? undefined,
  };
}

/** The cancelling of open messages in the ledger. */
export class MessageCancellations {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Those of them that are open, as they are now. */
  async readOpen(
    ids: readonly Uuid[],
  ): Promise<readonly { readonly message: LeasedMessage; readonly state: MessageState }[]> {
    const { rows } = await this.#database.query<MessageRow & { readonly state: MessageState }>(
      readOpenMessages,
      [ids],
    );
    return rows.map((row) => ({ message: leasedMessageOf(row), state: row.state }));
  }

  /** Ends these for good, if they still are as they were read, and lets the next of their order keys go. */
  async cancel(
    cancellations: readonly Cancellation[],
    { id, actor, target, detail, reason }: OperationRecord,
    account: string,
  ): Promise<readonly SteeredMessage[]> {
    const told = cancellations.map((one) => ({
      id: one.id,
      fencing_token: one.fencingToken,
      line: one.outcomeLine,
    }));
    const { rows } = await this.#database.query<SteeredRow>(cancelMessages, [
      JSON.stringify(told),
      id,
      actor,
      'messages.cancel',
      target,
      JSON.stringify(detail),
      reason,
      account,
    ]);
    const cancelled = rows.map((row) => steeredMessageOf(row));
    const keyed = cancelled.filter(({ orderKey }) => orderKey !== undefined);
    // As after a claim: whoever dies before this leaves it to the sweeper.
    if (keyed.length > 0)
      await this.#database.query(releaseHeads, [
        keyed.map(({ stage }) => stage),
        keyed.map(({ orderKey }) => orderKey),
      ]);
    return cancelled;
  }
}
