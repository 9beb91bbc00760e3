import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../kernel/ids.ts';
import {
  type SteeredMessage,
  steeredMessageOf,
  type SteeredRow,
} from '../../engine/ledger/message-cancellations.ts';
import type { OperationRecord } from '../../engine/ledger/operation-record.ts';
import type { Viewer } from '../../http/operator.ts';
import * as sql from './message-operations-sql.ts';
import { type MessageFilter, selectionParameters } from './message-selection.ts';
import type { MessageState } from '../../engine/ledger/message-state.ts';

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

  /** Makes those of them that only time keeps waiting due now. */
  async hurry(
    ids: readonly Uuid[],
    { id, actor, target, detail, reason }: OperationRecord,
  ): Promise<readonly SteeredMessage[]> {
    const { rows } = await this.#database.query<SteeredRow>(sql.hurryMessages, [
      ids,
      id,
      actor,
      'messages.retry',
      target,
      JSON.stringify(detail),
      reason,
    ]);
    return rows.map((row) => steeredMessageOf(row));
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
}

interface DescribedRow {
  readonly id: Uuid;
  readonly state: MessageState;
  readonly parked_for: string | null;
  readonly is_due_later: boolean;
}
