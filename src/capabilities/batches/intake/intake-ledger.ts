import { type JsonRow, jsonRow, jsonRows } from '../../../drivers/sql-database/json-rows.ts';
import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import { originColumns } from '../../../engine/ledger/stored-message.ts';
import type { Viewer } from '../../../http/operator.ts';
import { type Uuid, isUuid } from '../../../kernel/ids.ts';
import type { Batch } from '../batch.ts';
import { batchOf, type BatchRow } from '../batch-rows.ts';
import type { AppliedCaps } from '../caps/cap-settings.ts';
import { ItemCaps } from '../caps/item-caps.ts';
import type { PlannedChunk } from './chunk-plan.ts';
import * as sql from './intake-sql.ts';

/** A batch, with what only its intake knows. */
export interface IncomingBatch extends Batch {
  readonly requestDigest: string | undefined;
  /** Estimated, of all items that can be run. */
  readonly inputTokens: number;
  /** Of their data. */
  readonly inputBytes: number;
  /** Of the input that its items come from; undefined where that is not known, or not complete. */
  readonly inputDigest: string | undefined;
  /** Whether somebody has begun to remove it: it is over, and its name is free. */
  readonly isRemoving: boolean;
}

/** A batch that is to be made. */
export interface NewBatch extends Pick<
  Batch,
  'id' | 'origin' | 'pipeline' | 'type' | 'version' | 'settings' | 'priority' | 'deadline' | 'actor'
> {
  readonly requestDigest: string;
}

/** An item as it is written. */
export interface ItemRow {
  readonly position: number;
  readonly itemId: string;
  readonly chunk: number;
  readonly messageId: Uuid;
  readonly customer?: string | undefined;
  readonly team?: string | undefined;
  readonly labels?: string | undefined;
  readonly data?: string | undefined;
  readonly dataBytes: number;
  readonly tokens: number;
  /** Why it is left out; absent: it waits. */
  readonly skipped?: { readonly code: string; readonly message: string };
}

/** Which upload writes. */
export interface UploadToken {
  readonly batch: Uuid;
  readonly upload: Uuid;
}

/** What an upload came to. */
export interface UploadTotals {
  readonly items: number;
  readonly chunks: number;
  readonly skipped: number;
  readonly tokens: number;
  readonly bytes: number;
  readonly caps?: AppliedCaps | undefined;
  /** Of the input, when it is complete. */
  readonly digest?: string;
}

/** Who changes a batch, for the audit. */
export interface IntakeAction {
  readonly id: Uuid;
  readonly actor: string;
  readonly reason: string;
}

/** How many rows one statement removes. */
const removedAtOnce = 2000;

/** Batches that come in, in the ledger. */
export class IntakeLedger {
  readonly #database: SqlDatabase;
  /** What becomes of items that are larger than their batch allows. */
  readonly itemCaps: ItemCaps;

  constructor(database: SqlDatabase) {
    this.#database = database;
    this.itemCaps = new ItemCaps(database);
  }

  async find(id: string, { team }: Viewer): Promise<IncomingBatch | undefined> {
    return isUuid(id) ? await this.#one(sql.findBatch, [id, team]) : undefined;
  }

  /** The batch of a team that has this name now. */
  async findNamed(team: string, name: string): Promise<IncomingBatch | undefined> {
    return await this.#one(sql.findNamed, [team, name]);
  }

  /** Makes a batch; undefined when the team has one of this name. */
  async create(batch: NewBatch, actionId: Uuid): Promise<IncomingBatch | undefined> {
    const { id, origin, pipeline, type, version, settings, priority, deadline, actor, requestDigest } = batch;
    const { batch: name, ...columns } = originColumns(origin);
    const row = jsonRow('batches', () => ({
      ...columns,
      id,
      name,
      pipeline,
      type,
      version,
      settings: JSON.stringify(settings),
      priority,
      deadline: deadline?.toISOString(),
      actor,
      request_digest: requestDigest,
    }));
    const detail = JSON.stringify({ pipeline, type, version, settings, priority, deadline });
    return await this.#one(sql.createBatch, [jsonRows([row]), actionId, detail]);
  }

  /** Begins an upload, which takes the place of every earlier one. Undefined when the batch takes no items any more. */
  async beginUpload({ batch, upload }: UploadToken): Promise<IncomingBatch | undefined> {
    return await this.#one(sql.beginUpload, [batch, upload]);
  }

  /** Removes everything that earlier uploads have written. False when the upload is not the one any more. */
  async clear({ batch, upload }: UploadToken): Promise<boolean> {
    for (;;) {
      const { rows } = await this.#database.query<{ held: number; removed: number }>(sql.clearItems, [
        batch,
        upload,
        removedAtOnce,
      ]);
      const { held = 0, removed = 0 } = rows[0] ?? {};
      if (held === 0) return false;
      if (removed === 0) return true;
    }
  }

  /**
   * Writes items and chunks. Answers the positions of those whose ids other items have, which are not written; undefined when the
   * upload is not the one any more, and nothing is.
   */
  async write(
    { batch, upload }: UploadToken,
    items: readonly JsonRow[],
    chunks: readonly PlannedChunk[],
  ): Promise<readonly number[] | undefined> {
    const chunkRows = chunks.map(({ chunk, firstPosition, items: count, skipped }) =>
      jsonRow('batch_chunks', () => ({ chunk, first_position: firstPosition, items: count, skipped })),
    );
    const { rows } = await this.#database.query<{ held: number; position: number | null }>(sql.writeItems, [
      batch,
      upload,
      jsonRows(items),
      jsonRows(chunkRows),
    ]);
    if ((rows[0]?.held ?? 0) === 0) return undefined;
    return rows.flatMap(({ position }) => (position === null ? [] : [position]));
  }

  /** Where items with these ids stand. */
  async positionsOf(batch: Uuid, itemIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const { rows } = await this.#database.query<{ item_id: string; position: number }>(sql.positionsOfIds, [
      batch,
      itemIds,
    ]);
    return new Map(rows.map((row) => [row.item_id, row.position]));
  }

  /** Ends an upload. Undefined when it is not the one any more. */
  async endUpload(
    { batch, upload }: UploadToken,
    state: 'complete' | 'faulty',
    { items, chunks, skipped, tokens, bytes, caps, digest }: UploadTotals,
  ): Promise<IncomingBatch | undefined> {
    const told = caps === undefined ? null : JSON.stringify(caps);
    return await this.#one(sql.endUpload, [
      batch,
      upload,
      state,
      items,
      chunks,
      skipped,
      tokens,
      bytes,
      told,
      digest,
    ]);
  }

  /** Lets a batch with a complete upload run, forced past budgets or not; undefined for any other. */
  async start(
    id: Uuid,
    { id: actionId, actor, reason }: IntakeAction,
    isForced: boolean,
  ): Promise<IncomingBatch | undefined> {
    return await this.#one(sql.startBatch, [id, actionId, actor, reason, isForced]);
  }

  /** Removes a batch that is not started, with its items. Repeated, it goes on where it broke off. False for one that is started or not there. */
  async discard(id: Uuid, { id: actionId, actor, reason }: IntakeAction): Promise<boolean> {
    await this.#database.query(sql.discardBatch, [id, actionId, actor, reason]);
    return await this.finishRemoval(id);
  }

  /** Goes on removing a batch that somebody has begun to remove. False for any other, and where it is gone. */
  async finishRemoval(id: Uuid): Promise<boolean> {
    for (;;) {
      const { rows } = await this.#database.query<{ removed: number }>(sql.clearRemoved, [id, removedAtOnce]);
      if ((rows[0]?.removed ?? 0) === 0) break;
    }
    return (await this.#database.query(sql.removeCleared, [id])).affected > 0;
  }

  async #one(
    statement: (typeof sql)['findBatch'],
    parameters: readonly unknown[],
  ): Promise<IncomingBatch | undefined> {
    const { rows } = await this.#database.query<IncomingRow>(statement, parameters);
    const [row] = rows;
    return row === undefined ? undefined : incomingOf(row);
  }
}

interface IncomingRow extends BatchRow {
  readonly request_digest: string | null;
  readonly input_tokens: string;
  readonly input_bytes: string;
  readonly input_digest: string | null;
  readonly is_removing: boolean;
}

function incomingOf(row: IncomingRow): IncomingBatch {
  return {
    ...batchOf(row),
    requestDigest: row.request_digest ?? undefined,
    inputTokens: Number(row.input_tokens),
    inputBytes: Number(row.input_bytes),
    inputDigest: row.input_digest ?? undefined,
    isRemoving: row.is_removing,
  };
}

/** An item as the statement takes it. */
export function itemRow(item: ItemRow): JsonRow {
  const { itemId, messageId, dataBytes, skipped, ...same } = item;
  return jsonRow('batch_items', () => ({
    ...same,
    item_id: itemId,
    message_id: messageId,
    data_bytes: dataBytes,
    state: skipped === undefined ? 'waiting' : 'skipped',
    error_code: skipped?.code,
    error_message: skipped?.message,
  }));
}
