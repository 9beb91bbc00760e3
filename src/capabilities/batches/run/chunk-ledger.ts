import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import type { Batch, BatchState, Cause } from '../batch.ts';
import { batchOf, type BatchRow } from '../batch-rows.ts';
import * as sql from './chunk-sql.ts';

/** A chunk that was begun. */
export interface BegunChunk {
  readonly batch: Batch;
  readonly chunk: number;
  /** How often it was begun since it was submitted, or an operator had it run again; this time included. */
  readonly attempts: number;
  /** How often in all. */
  readonly begun: number;
}

/** An item that is to be admitted. */
export interface ChunkItem {
  readonly position: number;
  readonly itemId: string;
  readonly messageId: Uuid;
  readonly run: number;
  readonly customer: string | undefined;
  readonly team: string | undefined;
  readonly labels: Readonly<Record<string, string>> | undefined;
  /** JSON; undefined where it was erased meanwhile. */
  readonly data: string | undefined;
  /** Estimated, of its data. */
  readonly tokens: number;
}

/** How much is under way at the same time. */
export interface DispatchLimits {
  /** Chunks of all batches. */
  readonly chunks: number;
  /** Items of these. */
  readonly items: number;
  /** Batches that are compared for whose chunk is next. */
  readonly batches: number;
  /** Running batches that are looked at for a chunk that is due. */
  readonly looks: number;
  /** Chunks that one turn begins. */
  readonly begun: number;
}

/** A message that is there before its item is admitted: the batch sent it and was interrupted, or somebody else did. */
export interface PresentMessage {
  readonly id: Uuid;
  readonly source: string;
  readonly type: string;
  readonly version: number;
  readonly customer: string;
  readonly feature: string;
  readonly batch: string | null;
  /** JSON. */
  readonly labels: string | null;
  readonly body: string | null;
  readonly body_ref: string | null;
}

/** Chunks in the ledger: which are begun next, and how far those that were begun have come. */
export class ChunkLedger {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Begins the next chunks. Answers how many. */
  async claim({ chunks, items, batches, begun, looks }: DispatchLimits): Promise<number> {
    const limits = [chunks, items, batches, begun, looks];
    const { rows } = await this.#database.query<{ readonly batch_id: Uuid }>(sql.claimChunks, limits);
    // By itself, so that no lock of a batch is waited for with one of a chunk: whoever dies before it gives the batch one turn more.
    if (rows.length > 0) await this.#database.query(sql.noteTurns, [rows.map((row) => row.batch_id)]);
    return rows.length;
  }

  /** Chunks whose items may not all have been admitted: those just begun, and those of a process that died. */
  async listUnadmitted(limit: number): Promise<readonly BegunChunk[]> {
    const { rows } = await this.#database.query<
      BatchRow & { readonly chunk: number; readonly attempts: number; readonly begun: number }
    >(sql.listUnadmitted, [limit]);
    return rows.map((row) => ({
      batch: batchOf(row),
      chunk: row.chunk,
      attempts: row.attempts,
      begun: row.begun,
    }));
  }

  /** A page of its items that are under way, by position. */
  async readItems({ batch, chunk }: BegunChunk, after: number, limit: number): Promise<readonly ChunkItem[]> {
    const { rows } = await this.#database.query<ItemRow>(sql.readChunkItems, [batch.id, chunk, after, limit]);
    return rows.map((row) => ({
      position: row.position,
      itemId: row.item_id,
      messageId: row.message_id,
      run: row.run,
      customer: row.customer ?? undefined,
      team: row.team ?? undefined,
      labels: row.labels === null ? undefined : (JSON.parse(row.labels) as Readonly<Record<string, string>>),
      data: row.data ?? undefined,
      tokens: row.tokens,
    }));
  }

  async setMessageIds(
    batchId: Uuid,
    items: readonly { readonly position: number; readonly messageId: Uuid; readonly was: Uuid }[],
  ): Promise<void> {
    if (items.length === 0) return;
    const positions = items.map(({ position }) => position);
    await this.#database.query(sql.setMessageIds, [
      batchId,
      positions,
      items.map(({ messageId }) => messageId),
      items.map(({ was }) => was),
    ]);
  }

  /** Those of these messages that are there. */
  async readPresent(ids: readonly Uuid[]): Promise<readonly PresentMessage[]> {
    return (await this.#database.query<PresentMessage>(sql.readPresentMessages, [ids])).rows;
  }

  /** Whether items of it may be admitted, for so long. */
  async renewAdmission({ batch, chunk, begun }: BegunChunk, forMs: number): Promise<boolean> {
    const { affected } = await this.#database.query(sql.renewAdmission, [batch.id, chunk, begun, forMs]);
    return affected > 0;
  }

  /** Whoever renewed it admits nothing more of it. */
  async leaveAdmission({ batch, chunk, begun }: BegunChunk): Promise<void> {
    await this.#database.query(sql.leaveAdmission, [batch.id, chunk, begun]);
  }

  /** Whether it still was this chunk's turn. */
  async markAdmitted({ batch, chunk }: BegunChunk): Promise<boolean> {
    const { affected } = await this.#database.query(sql.markAdmitted, [batch.id, chunk]);
    return affected > 0;
  }

  /** The chunk waits, for the items at these positions. */
  async putBack(
    { batch, chunk }: BegunChunk,
    positions: readonly number[],
    { delayMs, cause, counts }: { readonly delayMs: number; readonly cause: Cause; readonly counts: boolean },
  ): Promise<void> {
    await this.#database.query(sql.putBack, [
      batch.id,
      chunk,
      positions,
      delayMs,
      JSON.stringify(cause),
      counts,
    ]);
  }

  async halt(batchId: Uuid, cause: Cause): Promise<boolean> {
    return (await this.#database.query(sql.haltBatch, [batchId, JSON.stringify(cause)])).affected > 0;
  }

  async stateOf(batchId: Uuid): Promise<BatchState | undefined> {
    const { rows } = await this.#database.query<{ readonly state: BatchState }>(sql.readState, [batchId]);
    return rows[0]?.state;
  }

  /** Chunks of which nothing is under way end, or are put off. Answers how many. */
  async settle(limit: number): Promise<number> {
    return await this.#count(sql.settleChunks, [limit]);
  }

  async #count(
    statement: Parameters<SqlDatabase['query']>[0],
    parameters: readonly unknown[],
  ): Promise<number> {
    const { rows } = await this.#database.query<{ readonly count: number }>(statement, parameters);
    return rows[0]?.count ?? 0;
  }
}

interface ItemRow {
  readonly position: number;
  readonly item_id: string;
  readonly message_id: Uuid;
  readonly run: number;
  readonly customer: string | null;
  readonly team: string | null;
  readonly labels: string | null;
  readonly data: string | null;
  readonly tokens: number;
}
