import type { JsonRow } from '../../../drivers/sql-database/json-rows.ts';
import { messageIdOf } from '../../../engine/pipeline/admissions.ts';
import { AppError, type Fault } from '../../../kernel/app-error.ts';
import { type Batch, sourceOf } from '../batch.ts';
import { batchErrors } from '../batch-errors.ts';
import { type ReadyItem, reservedId } from './batch-item.ts';
import { ChunkPlan, type PlannedChunk } from './chunk-plan.ts';
import {
  type IntakeLedger,
  type ItemRow,
  itemRow,
  type UploadToken,
  type UploadTotals,
} from './intake-ledger.ts';

/** An item whose id another one has. */
export interface DuplicateItem {
  readonly place: number;
  readonly fault: Fault;
}

export interface ItemWriterOptions {
  readonly ledger: IntakeLedger;
  readonly token: UploadToken;
  readonly batch: Pick<Batch, 'id' | 'origin' | 'settings'>;
  /** Told of every item whose id another one has. */
  readonly onDuplicate: (duplicate: DuplicateItem) => void;
}

interface WrittenItem {
  readonly row: ItemRow;
  readonly place: number;
}

const groupItems = 500;
/** Of texts in one statement: an item may be large. */
const groupCharacters = 4_194_304;
const maxMessageCharacters = 2000;

/**
 * Writes the items of an upload in groups, in their order, and the chunks that they fill. Whether two items have the same id is for the
 * database to tell: the ids of all items are more than a process should remember. The later one is left out.
 */
export class ItemWriter {
  readonly #options: ItemWriterOptions;
  readonly #plan: ChunkPlan;
  #group: WrittenItem[] = [];
  #rows: JsonRow[] = [];
  #characters = 0;
  #items = 0;
  #skipped = 0;
  #tokens = 0;
  #bytes = 0;

  constructor(options: ItemWriterOptions) {
    this.#options = options;
    this.#plan = new ChunkPlan(options.batch.settings.chunk);
  }

  /** Of all items so far. */
  get totals(): UploadTotals {
    return {
      items: this.#items,
      chunks: this.#plan.count,
      skipped: this.#skipped,
      tokens: this.#tokens,
      bytes: this.#bytes,
    };
  }

  /** Writes an item that can be run. Throws MILLRACE_BATCH_UPLOAD_REPLACED. */
  async add(place: number, position: number, item: ReadyItem): Promise<void> {
    const { kind: _, ...columns } = item;
    this.#tokens += item.tokens;
    this.#bytes += item.dataBytes;
    await this.#add(place, { ...columns, position, chunk: this.#plan.place(position, item.tokens) });
  }

  /** Writes an item that is left out, with the reason. Throws the same. */
  async skip(
    place: number,
    position: number,
    { itemId, faults }: { readonly itemId: string; readonly faults: readonly Fault[] },
  ): Promise<void> {
    const chunk = this.#plan.place(position, 0);
    this.#countSkipped(chunk);
    await this.#add(place, this.#skippedRow({ position, itemId, chunk, faults }));
  }

  /** Writes what is left. Throws the same. */
  async end(): Promise<void> {
    await this.#flush();
    await this.#write([], this.#plan.takeAll());
  }

  #countSkipped(chunk: number): void {
    this.#plan.leaveOut(chunk);
    this.#skipped += 1;
  }

  #skippedRow(left: {
    readonly position: number;
    readonly itemId: string;
    readonly chunk: number;
    readonly faults: readonly Fault[];
  }): ItemRow {
    const { origin, id } = this.#options.batch;
    const { position, itemId, chunk, faults } = left;
    const told = faults
      .map(({ field, problem }) => (field === '' ? problem : `${field}: ${problem}`))
      .join('; ');
    return {
      position,
      itemId,
      chunk,
      messageId: messageIdOf(origin.team, sourceOf(id), itemId),
      dataBytes: 0,
      tokens: 0,
      skipped: { code: 'MILLRACE_MESSAGE_INVALID', message: storable(told) },
    };
  }

  async #add(place: number, row: ItemRow): Promise<void> {
    const json = itemRow(row);
    this.#items += 1;
    this.#group.push({ row, place });
    this.#rows.push(json);
    this.#characters += json.length;
    if (this.#rows.length >= groupItems || this.#characters >= groupCharacters) await this.#flush();
  }

  async #flush(): Promise<void> {
    const [group, rows] = [this.#group, this.#rows];
    const [first] = group;
    if (first === undefined) return;
    this.#group = [];
    this.#rows = [];
    this.#characters = 0;
    // Of the chunks before this group it is known who is left out.
    const refused = new Set(await this.#write(rows, this.#plan.takeBefore(first.row.position)));
    if (refused.size > 0) await this.#leaveOut(group.filter(({ row }) => refused.has(row.position)));
  }

  async #write(rows: readonly JsonRow[], chunks: readonly PlannedChunk[]): Promise<readonly number[]> {
    const { ledger, token } = this.#options;
    const refused = await ledger.write(token, rows, chunks);
    if (refused !== undefined) return refused;
    throw new AppError(
      batchErrors.MILLRACE_BATCH_UPLOAD_REPLACED,
      'Another upload of the same batch has begun, or the batch was started or discarded: nothing more of this one is written.',
    );
  }

  /** Items whose ids others have, under ids that no input can give. */
  async #leaveOut(refused: readonly WrittenItem[]): Promise<void> {
    const { ledger, token, onDuplicate } = this.#options;
    const itemIds = refused.map(({ row }) => row.itemId);
    const positions = await ledger.positionsOf(token.batch, itemIds);
    const rows = refused.map(({ row, place }) => {
      const { position, itemId, chunk } = row;
      const fault = {
        field: 'id',
        problem: `"${itemId}" is the id of item ${positions.get(itemId) ?? '?'} too`,
      };
      onDuplicate({ place, fault });
      this.#tokens -= row.tokens;
      this.#bytes -= row.dataBytes;
      if (row.skipped === undefined) this.#countSkipped(chunk);
      return itemRow(this.#skippedRow({ position, chunk, itemId: reservedId(position), faults: [fault] }));
    });
    await this.#write(rows, []);
  }
}

function storable(text: string): string {
  const short = text.length > maxMessageCharacters ? `${text.slice(0, maxMessageCharacters)}…` : text;
  return short.toWellFormed().replaceAll('\u0000', '\ufffd');
}
