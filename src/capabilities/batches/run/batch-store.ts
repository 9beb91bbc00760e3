import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import { isUuid, type Uuid } from '../../../kernel/ids.ts';
import { isStorableText } from '../../../kernel/storable-text.ts';
import type { Viewer } from '../../../http/operator.ts';
import type { Batch, BatchState, Cause, CheckState, ChunkState, ItemEnd, ItemState } from '../batch.ts';
import type { ModeNote } from '../batch-document.ts';
import { batchOf, type BatchRow } from '../batch-rows.ts';
import { readChoices } from '../mode/deferred-call-sql.ts';
import * as sql from './batch-store-sql.ts';
import type { BatchPlace } from './run-requests.ts';

/** Which batches. A part that is absent selects everything. */
export interface BatchFilter {
  readonly state?: readonly BatchState[] | undefined;
  readonly pipeline?: readonly string[] | undefined;
}

/** Which items of a batch, likewise. */
export interface ItemFilter {
  readonly state?: readonly ItemState[] | undefined;
  readonly check?: readonly CheckState[] | undefined;
}

/** Chunks beside each other in the same state. */
export interface ChunkRange {
  readonly first: number;
  readonly last: number;
  readonly state: ChunkState;
  readonly items: number;
  readonly ended: number;
  readonly failed: number;
  readonly attempts: number;
  readonly nextAt: Date | undefined;
  readonly cause: Cause | undefined;
}

/** What an item did not end well of. */
export interface ItemError {
  readonly code: string;
  readonly message: string;
}

/** An item of a batch as the ledger has it. */
export interface StoredItem {
  readonly position: number;
  readonly itemId: string;
  readonly chunk: number;
  readonly messageId: Uuid;
  readonly customer: string | undefined;
  readonly team: string | undefined;
  readonly state: ItemState;
  readonly attempts: number | undefined;
  readonly error: ItemError | undefined;
  /** JSON. */
  readonly data: string | undefined;
  readonly costUsd: string | undefined;
  readonly unpriced: number;
  readonly tokens: { readonly input: number; readonly output: number } | undefined;
  readonly endedAt: Date | undefined;
  /** How its output was judged; undefined where it was not drawn. */
  readonly check: { readonly state: CheckState; readonly reason: string | undefined } | undefined;
}

/** An ended item with its line of the output. */
export interface OutputItem extends Pick<
  StoredItem,
  'position' | 'itemId' | 'attempts' | 'error' | 'costUsd' | 'unpriced' | 'tokens'
> {
  readonly state: ItemEnd;
  /** Undefined where it was skipped, or erased. */
  readonly line: string | undefined;
  /** Where a text of it was cut before it was sent: its estimated tokens before and after. */
  readonly cut?: { readonly fromTokens: number; readonly toTokens: number } | undefined;
}

/** An item that did not succeed, as it was sent. */
export interface FailedItem extends Pick<
  StoredItem,
  'position' | 'itemId' | 'customer' | 'team' | 'error' | 'data'
> {
  readonly state: ItemEnd;
  /** JSON. */
  readonly labels: string | undefined;
}

/** How much of one page is read at a time. */
const pageItems = 500;
const pageBytes = 8 * 1024 * 1024;

/** Batches in the ledger, as they are read. */
export class BatchStore {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** The newest first. `next`: there are more. */
  async list(
    { state, pipeline }: BatchFilter,
    viewer: Viewer,
    { limit, after }: { readonly limit: number; readonly after?: BatchPlace | undefined },
  ): Promise<{ readonly batches: readonly Batch[]; readonly next: BatchPlace | undefined }> {
    const { rows } = await this.#database.query<BatchRow & { readonly created_us: string }>(sql.listBatches, [
      viewer.team,
      state,
      pipeline,
      after?.createdUs,
      after?.id,
      limit + 1,
    ]);
    const shown = rows.slice(0, limit);
    const last = shown.at(-1);
    return {
      batches: shown.map((row) => batchOf(row)),
      next:
        rows.length > limit && last !== undefined ? { createdUs: last.created_us, id: last.id } : undefined,
    };
  }

  /** Those of this id or name; two at most. */
  async find(reference: string, viewer: Viewer): Promise<readonly Batch[]> {
    // No batch has such a name.
    if (!isStorableText(reference)) return [];
    const id = isUuid(reference.toLowerCase()) ? reference.toLowerCase() : undefined;
    const { rows } = await this.#database.query<BatchRow>(sql.findBatches, [id, reference, viewer.team]);
    return rows.map((row) => batchOf(row));
  }

  /** How its calls are made, by model. */
  async modes(id: Uuid): Promise<readonly ModeNote[]> {
    const { rows } = await this.#database.query<ModeRow>(readChoices, [id]);
    return rows.map(({ decided_at: decidedAt, ...note }) => ({ ...note, decidedAt }));
  }

  /** Ranges of chunks after one; `limit` and one more where there are more. */
  async chunks(batchId: Uuid, after: number, limit: number): Promise<readonly ChunkRange[]> {
    const { rows } = await this.#database.query<RangeRow>(sql.listChunks, [batchId, after, limit + 1]);
    return rows.map(({ next_at: nextAt, cause, ...range }) => ({
      ...range,
      nextAt: nextAt ?? undefined,
      cause: cause === null ? undefined : (JSON.parse(cause) as Cause),
    }));
  }

  /** Items after a position; `limit` and one more where there are more. */
  async items(
    batch: Batch,
    viewer: Viewer,
    { state, check, after, limit }: ItemFilter & { readonly after: number; readonly limit: number },
  ): Promise<readonly StoredItem[]> {
    const { rows } = await this.#database.query<ItemRow>(sql.listItems, [
      batch.id,
      viewer.team,
      batch.origin.team,
      state,
      after,
      limit + 1,
      check,
    ]);
    return rows.map((row) => ({
      position: row.position,
      itemId: row.item_id,
      chunk: row.chunk,
      messageId: row.message_id,
      customer: row.customer ?? undefined,
      team: row.team ?? undefined,
      state: row.state,
      attempts: row.attempts ?? undefined,
      data: row.data ?? undefined,
      endedAt: row.ended_at ?? undefined,
      check:
        row.check_state === null
          ? undefined
          : { state: row.check_state, reason: row.check_reason ?? undefined },
      ...figuresOf(row),
    }));
  }

  /** The next ended items after a position, as many as fit into a page; none at the end. */
  async output(batch: Batch, viewer: Viewer, after: number): Promise<readonly OutputItem[]> {
    const { rows } = await this.#database.query<OutputRow>(sql.readOutput, pageOf(batch, viewer, after));
    return rows.map((row) => ({
      position: row.position,
      itemId: row.item_id,
      state: row.state,
      attempts: row.attempts ?? undefined,
      line: row.output ?? undefined,
      cut: row.capped_from === null ? undefined : { fromTokens: row.capped_from, toTokens: row.tokens },
      ...figuresOf(row),
    }));
  }

  /** The same of items that did not succeed. */
  async failed(batch: Batch, viewer: Viewer, after: number): Promise<readonly FailedItem[]> {
    const { rows } = await this.#database.query<FailedRow>(sql.readFailed, pageOf(batch, viewer, after));
    return rows.map((row) => ({
      position: row.position,
      itemId: row.item_id,
      state: row.state,
      customer: row.customer ?? undefined,
      team: row.team ?? undefined,
      labels: row.labels ?? undefined,
      data: row.data ?? undefined,
      error: errorOf(row),
    }));
  }
}

function pageOf({ id, origin }: Batch, viewer: Viewer, after: number): readonly unknown[] {
  return [id, viewer.team, origin.team, after, pageItems, pageBytes];
}

function errorOf({ error_code: code, error_message: message }: ErrorRow): ItemError | undefined {
  return code === null ? undefined : { code, message: message ?? '' };
}

function figuresOf(row: FiguresRow): Pick<StoredItem, 'error' | 'costUsd' | 'unpriced' | 'tokens'> {
  const { cost_usd: costUsd, unpriced, input_tokens: input, output_tokens: output } = row;
  return {
    error: errorOf(row),
    costUsd: costUsd ?? undefined,
    unpriced,
    tokens: input === null || output === null ? undefined : { input: Number(input), output: Number(output) },
  };
}

interface RangeRow extends Omit<ChunkRange, 'nextAt' | 'cause'> {
  readonly next_at: Date | null;
  readonly cause: string | null;
}

interface ErrorRow {
  readonly error_code: string | null;
  readonly error_message: string | null;
}

interface FiguresRow extends ErrorRow {
  readonly cost_usd: string | null;
  readonly unpriced: number;
  readonly input_tokens: string | null;
  readonly output_tokens: string | null;
}

interface ItemRow extends FiguresRow {
  readonly position: number;
  readonly item_id: string;
  readonly chunk: number;
  readonly message_id: Uuid;
  readonly customer: string | null;
  readonly team: string | null;
  readonly state: ItemState;
  readonly attempts: number | null;
  readonly data: string | null;
  readonly ended_at: Date | null;
  readonly check_state: CheckState | null;
  readonly check_reason: string | null;
}

interface OutputRow extends FiguresRow {
  readonly position: number;
  readonly item_id: string;
  readonly state: ItemEnd;
  readonly attempts: number | null;
  readonly output: string | null;
  readonly tokens: number;
  readonly capped_from: number | null;
}

interface FailedRow extends ErrorRow {
  readonly position: number;
  readonly item_id: string;
  readonly state: ItemEnd;
  readonly customer: string | null;
  readonly team: string | null;
  readonly labels: string | null;
  readonly data: string | null;
}

interface ModeRow extends Omit<ModeNote, 'decidedAt'> {
  readonly decided_at: Date;
}
