import { jsonRow, jsonRows } from '../../../drivers/sql-database/json-rows.ts';
import type { SqlDatabase, SqlStatement } from '../../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import { formatUsd, usd } from '../../../kernel/money.ts';
import { readTreeMessages, type TreeMessage } from '../../../engine/ledger/tree-messages.ts';
import type { TokenCounts } from '../../../pricing/token-classes.ts';
import type { BatchMetrics } from '../batch-metrics.ts';
import type { BatchState, Cause, ItemEnd } from '../batch.ts';
import * as sql from './ends-sql.ts';
import type { ItemPlace, Looked } from './end-looks.ts';
import type { ComposedEnd, UsedAnswer } from './item-end.ts';

/** An item whose end can be composed. */
export interface EndingItem extends ItemPlace {
  readonly itemId: string;
  readonly messageId: Uuid;
  /** Of what its pipeline said at its end. */
  readonly bytes: number;
}

/** A good answer that a message of a tree got. */
export interface TreeAnswer extends UsedAnswer {
  readonly rootId: Uuid;
  readonly callId: Uuid;
  /** The latest of its place in a handler: the one that counts. */
  readonly isUsed: boolean;
  readonly isBilled: boolean;
}

/** What the end of a chunk's items depends on. */
export interface ChunkRules {
  readonly attempts: number;
  /** How often it was begun in all. */
  readonly begun: number;
  /** How often it may be begun again. */
  readonly retries: number;
  readonly batchState: BatchState;
  readonly cause: Cause | undefined;
}

/** An item's end, to be recorded. */
export interface ItemEnding {
  readonly item: EndingItem;
  /** The state in which it was read: in any other it is not touched. */
  readonly was: 'waiting' | 'running';
  /** How often its chunk had been begun: of a later attempt this is not the end. */
  readonly begun: number;
  readonly end: ComposedEnd;
}

/** A batch of which items ended, or how many ended how. */
interface RecordedRow {
  readonly id: Uuid | null;
  readonly ended_as: ItemEnd | null;
  readonly items: number;
}

/** The ends of items in the ledger: what they are composed of, and what is recorded. */
export class EndLedger {
  readonly #database: SqlDatabase;
  readonly #metrics: BatchMetrics;

  constructor(database: SqlDatabase, metrics: BatchMetrics) {
    this.#database = database;
    this.#metrics = metrics;
  }

  /**
   * Looks at the next items that are under way, of which so many that have ended are taken. `next`: where to go on; undefined when the
   * last one was looked at.
   */
  async findEnded(
    after: ItemPlace,
    { looks, limit }: { readonly looks: number; readonly limit: number },
  ): Promise<Looked & { readonly items: readonly EndingItem[] }> {
    const { rows } = await this.#database.query<FoundRow>(sql.findEnded, [
      after.batchId,
      after.chunk,
      after.position,
      looks,
      limit,
    ]);
    const items = rows.flatMap((row) => (row.batch_id === null ? [] : [endingItemOf(row)]));
    const [first] = rows;
    const found = { items, ended: items.length, looked: first?.looked ?? 0 };
    if (items.length === limit) return { ...found, next: items.at(-1) };
    if (first === undefined || first.looked < looks || first.last_batch === null)
      return { ...found, next: undefined };
    return {
      ...found,
      next: {
        batchId: first.last_batch,
        chunk: first.last_chunk ?? 0,
        position: first.last_position ?? 0,
      },
    };
  }

  /** Items of a batch that wait. */
  listWaiting(batchId: Uuid, limit: number): Promise<readonly EndingItem[]> {
    return this.#list(sql.listWaiting, batchId, limit);
  }

  /** Items of a batch that are under way without a message. */
  listNeverAdmitted(batchId: Uuid, limit: number): Promise<readonly EndingItem[]> {
    return this.#list(sql.listNeverAdmitted, batchId, limit);
  }

  /** Open messages of a batch's items. */
  async listOpenMessages(batchId: Uuid, limit: number): Promise<readonly Uuid[]> {
    const { rows } = await this.#database.query<{ readonly id: Uuid }>(sql.listOpenMessages, [
      batchId,
      limit,
    ]);
    return rows.map(({ id }) => id);
  }

  /** By batch and chunk, see `chunkKey`. */
  async readRules(items: readonly ItemPlace[]): Promise<ReadonlyMap<string, ChunkRules>> {
    const chunks = items.map(({ batchId, chunk }) => ({ batch_id: batchId, chunk }));
    const { rows } = await this.#database.query<RulesRow>(sql.readRules, [JSON.stringify(chunks)]);
    return new Map(
      rows.map((row) => [
        chunkKey({ batchId: row.batch_id, chunk: row.chunk }),
        {
          attempts: row.attempts,
          begun: row.begun,
          retries: row.retries,
          batchState: row.state,
          cause: row.cause === null ? undefined : (JSON.parse(row.cause) as Cause),
        },
      ]),
    );
  }

  readTrees(rootIds: readonly Uuid[]): Promise<readonly TreeMessage[]> {
    return readTreeMessages(this.#database, rootIds);
  }

  /** The good answers of trees. */
  async readAnswers(rootIds: readonly Uuid[]): Promise<readonly TreeAnswer[]> {
    const { rows } = await this.#database.query<AnswerRow>(sql.readAnswers, [rootIds]);
    return rows.map((row) => ({
      rootId: row.root_id,
      callId: row.id,
      isUsed: row.is_used,
      isBilled: row.is_billed,
      costUsd: row.cost_usd === null ? undefined : usd(row.cost_usd),
      tokens: row.tokens === null ? {} : (JSON.parse(row.tokens) as TokenCounts),
    }));
  }

  /** Answers the batches of which items ended. */
  async record(endings: readonly ItemEnding[]): Promise<readonly Uuid[]> {
    if (endings.length === 0) return [];
    const rows = endings.map((ending) => jsonRow('record ends', () => endRow(ending)));
    const { rows: answered } = await this.#database.query<RecordedRow>(sql.recordEnds, [jsonRows(rows)]);
    for (const { ended_as: end, items } of answered)
      if (end !== null) this.#metrics.increment('batch_items_ended_total', { end }, items);
    return answered.flatMap(({ id }) => (id === null ? [] : [id]));
  }

  async #list(statement: SqlStatement, batchId: Uuid, limit: number): Promise<readonly EndingItem[]> {
    const { rows } = await this.#database.query<ItemRow>(statement, [batchId, limit]);
    return rows.map((row) => endingItemOf(row));
  }
}

/** What tells chunks apart. */
export function chunkKey({ batchId, chunk }: Pick<ItemPlace, 'batchId' | 'chunk'>): string {
  return `${batchId} ${chunk}`;
}

function endRow({ item, was, begun, end }: ItemEnding): Readonly<Record<string, unknown>> {
  const { state, error, isGivenUp } = end;
  const isBack = state === 'waiting';
  return {
    batch_id: item.batchId,
    position: item.position,
    message_id: item.messageId,
    begun,
    was,
    state,
    error_code: error?.code,
    error_message: error?.message,
    attempts: error?.attempts,
    output: end.line,
    is_given_up: isGivenUp,
    ...(isBack
      ? {}
      : {
          cost_usd: formatUsd(end.costUsd),
          unpriced: end.unpriced,
          input_tokens: end.inputTokens,
          output_tokens: end.outputTokens,
        }),
    ...(error !== undefined && (isBack || isGivenUp)
      ? { cause: JSON.stringify({ code: error.code, detail: error.message } satisfies Cause) }
      : {}),
  };
}

function endingItemOf(row: ItemRow): EndingItem {
  return {
    batchId: row.batch_id,
    chunk: row.chunk,
    position: row.position,
    itemId: row.item_id,
    messageId: row.message_id,
    bytes: Number(row.bytes),
  };
}

interface ItemRow {
  readonly batch_id: Uuid;
  readonly chunk: number;
  readonly position: number;
  readonly item_id: string;
  readonly message_id: Uuid;
  readonly bytes: string;
}

interface LastRow {
  readonly last_batch: Uuid | null;
  readonly last_chunk: number | null;
  readonly last_position: number | null;
  readonly looked: number;
}

type FoundRow = LastRow & (ItemRow | { readonly batch_id: null });

interface RulesRow {
  readonly batch_id: Uuid;
  readonly chunk: number;
  readonly attempts: number;
  readonly begun: number;
  readonly retries: number;
  readonly state: BatchState;
  readonly cause: string | null;
}

interface AnswerRow {
  readonly root_id: Uuid;
  readonly id: Uuid;
  readonly is_used: boolean;
  readonly is_billed: boolean;
  readonly cost_usd: string | null;
  readonly tokens: string | null;
}
