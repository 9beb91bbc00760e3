import { type JsonRow, jsonRow, jsonRows } from '../../../drivers/sql-database/json-rows.ts';
import type { SqlDatabase, SqlExecutor } from '../../../drivers/sql-database/sql-database.ts';
import type { DeferredEnd, DeferredOutcome } from '../../../engine/calls/deferred-settler.ts';
import type { RequestBounds } from '../../../engine/providers/request-bounds.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { GroupCommit } from '../../../kernel/group-commit.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import type { BatchEndpoint, ProviderBatchRequest } from '../provider/provider-batch-request.ts';
import * as sql from './deferred-call-sql.ts';

/** A call that is put off. */
export interface KeptCall {
  readonly callId: Uuid;
  readonly messageId: Uuid;
  readonly batchId: Uuid;
  readonly account: string;
  readonly model: string;
  readonly endpoint: BatchEndpoint;
  /** Of the HTTP request: JSON. */
  readonly body: string;
  readonly inputTokens: number;
  readonly bounds: RequestBounds;
}

/** Calls that can be sent together. */
export interface CallGroup {
  readonly batchId: Uuid;
  readonly account: string;
  readonly model: string;
  readonly endpoint: BatchEndpoint;
}

/** How much is taken or read at a time. */
export interface Portion {
  readonly requests: number;
  readonly bytes: number;
}

/** A message that goes on. */
export interface ReleasedMessage {
  readonly id: Uuid;
  readonly stage: string;
}

/** How many batches with calls that are put off one turn looks at. */
const maxGroups = 1000;

/** The calls that are put off, in the ledger's database. See the states in deferred-call-sql.ts. */
export class DeferredCalls {
  readonly #database: SqlDatabase;
  readonly #keep: GroupCommit<JsonRow, true>;

  constructor({ database, clock }: { readonly database: SqlDatabase; readonly clock: Clock }) {
    this.#database = database;
    this.#keep = new GroupCommit({
      name: 'keep deferred calls',
      clock,
      maxGroup: 200,
      flush: async (rows) => {
        await database.query(sql.keepCalls, [jsonRows(rows)]);
        return rows.map(() => true as const);
      },
    });
  }

  /** Makes it durable, before its call is reserved. Throws MILLRACE_DATA_REFUSED for what it holds. */
  async keep({ callId, messageId, batchId, account, model, endpoint, ...call }: KeptCall): Promise<void> {
    const { body, inputTokens, bounds } = call;
    await this.#keep.submit(
      jsonRow('keep', () => ({
        call_id: callId,
        message_id: messageId,
        batch_id: batchId,
        account,
        model,
        endpoint,
        body,
        body_bytes: Buffer.byteLength(body),
        estimated_tokens: Math.ceil(inputTokens),
        bounds: JSON.stringify(bounds),
      })),
    );
  }

  /** Does the work in one transaction of the ledger's database. */
  async within<Result>(work: (transaction: SqlExecutor) => Promise<Result>): Promise<Result> {
    return await this.#database.transaction(work);
  }

  /** Whether there is anything to do. */
  async hasWork(): Promise<boolean> {
    return (await this.#database.query<{ is_there: boolean }>(sql.findWork)).rows[0]?.is_there ?? false;
  }

  /** The batch under which calls of the message are kept. */
  async batchOf(messageId: Uuid): Promise<Uuid | undefined> {
    const { rows } = await this.#database.query<{ batch_id: Uuid }>(sql.batchOfKept, [messageId]);
    return rows[0]?.batch_id;
  }

  /** What the provider said of a call that failed in a batch of its; undefined where that was forgotten. */
  async refusalOf(callId: Uuid): Promise<string | undefined> {
    const { rows } = await this.#database.query<{ error_code: string | null; error_message: string | null }>(
      sql.readRefusal,
      [callId],
    );
    const { error_code: code, error_message: message } = rows[0] ?? {};
    return code === undefined || code === null ? undefined : `${code}: ${message ?? ''}`;
  }

  /** The groups whose first call has waited long enough, of batches that go on. */
  async dueGroups(gatherMs: number): Promise<readonly CallGroup[]> {
    const { rows } = await this.#database.query<{
      batch_id: Uuid;
      account: string;
      model: string;
      endpoint: BatchEndpoint;
    }>(sql.dueGroups, [gatherMs, maxGroups]);
    return rows.map(({ batch_id: batchId, ...group }) => ({ ...group, batchId }));
  }

  /** Takes the oldest of a group to be handed over. Answers how many, how many it passed over because nobody wants them, and whether more of it can be taken at once. */
  async take(
    { batchId, account, model, endpoint }: CallGroup,
    { requests, bytes }: Portion,
  ): Promise<{ readonly taken: number; readonly unwanted: number; readonly hasMore: boolean }> {
    const parameters = [batchId, account, model, endpoint, requests, bytes];
    const { rows } = await this.#database.query<{ taken: number; reserved: number; unwanted: number }>(
      sql.takeGroup,
      parameters,
    );
    const { taken = 0, reserved = 0, unwanted = 0 } = rows[0] ?? {};
    const isFull = reserved + unwanted === requests;
    return { taken, unwanted, hasMore: taken > 0 && (reserved > taken || isFull) };
  }

  /** What was taken and not handed over yet, of one batch and one account; none when there is nothing. */
  async readSending({ requests, bytes }: Portion): Promise<{
    readonly account: string;
    readonly requests: readonly ProviderBatchRequest[];
  }> {
    const { rows } = await this.#database.query<{
      call_id: Uuid;
      account: string;
      endpoint: BatchEndpoint;
      body: string;
      estimated_tokens: string;
    }>(sql.readSending, [requests, bytes]);
    return {
      account: rows[0]?.account ?? '',
      requests: rows.map(({ call_id: id, endpoint, body, estimated_tokens: tokens }) => ({
        id,
        endpoint,
        body,
        estimatedTokens: Number(tokens),
      })),
    };
  }

  /** They were handed over, each to this provider batch. */
  async markSent(batches: ReadonlyMap<string, Uuid>): Promise<void> {
    await this.#database.query(sql.markSent, [[...batches.keys()], [...batches.values()]]);
  }

  /** What is settled of these ends, within a transaction: those calls that are not settled yet, which are marked as settled. */
  async beginSettlement(
    transaction: SqlExecutor,
    ends: ReadonlyMap<string, DeferredEnd>,
  ): Promise<readonly DeferredOutcome[]> {
    const { rows } = await transaction.query<SettlementRow>(sql.readForSettlement, [[...ends.keys()]]);
    await transaction.query(sql.markSettled, [rows.map(({ call_id: id }) => id)]);
    return rows.flatMap((row) => {
      const end = ends.get(row.call_id);
      return end === undefined ? [] : [outcomeOf(row, end)];
    });
  }

  /** Calls of the batch that wait, within a transaction in which they are to be settled with this end; they are marked as settled. */
  async takeBack(
    transaction: SqlExecutor,
    batchId: Uuid,
    { limit, end }: { readonly limit: number; readonly end: DeferredEnd },
  ): Promise<readonly DeferredOutcome[]> {
    const { rows } = await transaction.query<SettlementRow>(sql.lockWaiting, [batchId, limit]);
    return await this.#markTakenBack(transaction, rows, end);
  }

  /** The same for calls of a group whose messages have ended. */
  async takeBackUnwanted(
    transaction: SqlExecutor,
    { batchId, account, model, endpoint }: CallGroup,
    { limit, end }: { readonly limit: number; readonly end: DeferredEnd },
  ): Promise<readonly DeferredOutcome[]> {
    const parameters = [batchId, account, model, endpoint, limit];
    const { rows } = await transaction.query<SettlementRow>(sql.lockUnwanted, parameters);
    return await this.#markTakenBack(transaction, rows, end);
  }

  async #markTakenBack(
    transaction: SqlExecutor,
    rows: readonly SettlementRow[],
    end: DeferredEnd,
  ): Promise<readonly DeferredOutcome[]> {
    await transaction.query(sql.markSettled, [rows.map(({ call_id: id }) => id)]);
    return rows.map((row) => outcomeOf(row, end));
  }

  /** The batches whose calls are not wanted in providers' batches any more. */
  async recalledBatches(now: Date, onlineMs: number): Promise<readonly Uuid[]> {
    const { rows } = await this.#database.query<{ batch_id: Uuid }>(sql.recalledBatches, [
      now,
      onlineMs,
      maxGroups,
    ]);
    return rows.map(({ batch_id: id }) => id);
  }

  /** The provider batches that a batch's calls are in and that can still be asked to end. */
  async cancellableBatches(batchId: Uuid): Promise<readonly Uuid[]> {
    const { rows } = await this.#database.query<{ id: Uuid }>(sql.cancellableBatches, [batchId]);
    return rows.map(({ id }) => id);
  }

  /** Lets messages go on whose calls are settled. Answers them, and whether there may be more. */
  async release(
    prefix: string,
    limit: number,
  ): Promise<{ readonly released: readonly ReleasedMessage[]; readonly hasMore: boolean }> {
    const { rows } = await this.#database.query<{
      looked: number;
      id: Uuid | null;
      stage: string | null;
    }>(sql.releaseSettled, [prefix, limit]);
    const released = rows.flatMap(({ id, stage }) => (id === null || stage === null ? [] : [{ id, stage }]));
    return { released, hasMore: rows[0]?.looked === limit };
  }
}

interface SettlementRow {
  readonly call_id: Uuid;
  readonly bounds: string;
  readonly estimated_tokens: string;
}

function outcomeOf(row: SettlementRow, end: DeferredEnd): DeferredOutcome {
  return {
    callId: row.call_id,
    // Written by this class alone.
    bounds: JSON.parse(row.bounds) as RequestBounds,
    inputTokens: Number(row.estimated_tokens),
    end,
  };
}
