import { newId } from '../../kernel/ids.ts';
import type { Bill } from '../bill.ts';
import type { Court } from '../verdict.ts';
import { BatchBook, type KnownBatch } from './batch-book.ts';
import type { BatchRule } from './batch-config.ts';
import { endOf } from './batch-course.ts';
import { endBatch, internalPurpose } from './batch-end.ts';
import type { BatchFaults, BatchRecord, FileRecord } from './batch-records.ts';
import { type BatchQuestion, BatchRules, type CountedBatchRule } from './batch-rules.ts';

/** What is asked for when a batch is made. */
export type NewBatch = Pick<
  BatchRecord,
  | 'number'
  | 'provider'
  | 'endpoint'
  | 'inputFileId'
  | 'metadata'
  | 'requests'
  | 'model'
  | 'inputTokens'
  | 'faults'
  | 'problems'
>;

/** Files and batches of all providers, which go on by the clock. */
export class SimulatedBatches {
  readonly #court: Court;
  readonly #bill: Bill;
  readonly #book: BatchBook;
  readonly #rules: BatchRules;
  #catchingUp: Promise<void> = Promise.resolve();

  private constructor(court: Court, bill: Bill, book: BatchBook) {
    this.#court = court;
    this.#bill = bill;
    this.#book = book;
    this.#rules = new BatchRules(court.config.seed, court.config.batches.rules);
  }

  static async open(court: Court, bill: Bill): Promise<SimulatedBatches> {
    return new SimulatedBatches(court, bill, await BatchBook.open(court.config.dataDirectory));
  }

  get nowMs(): number {
    return this.#court.clock.now().getTime();
  }

  get config(): Court['config'] {
    return this.#court.config;
  }

  rules(): CountedBatchRule[] {
    return this.#rules.list();
  }

  setRules(rules: readonly BatchRule[]): void {
    this.#rules.replace(rules);
  }

  strike(question: BatchQuestion): BatchFaults {
    return this.#rules.strike(question);
  }

  takeNumber(): number {
    return this.#book.takeNumber();
  }

  /** Ends, and bills, every batch whose time has come. Whoever looks at batches or the bill asks for it first. */
  async catchUp(): Promise<void> {
    this.#catchingUp = this.#catchingUp.then(() => this.#endDue());
    await this.#catchingUp;
  }

  async #endDue(): Promise<void> {
    for (const known of this.#book.batches()) {
      if (known.end !== undefined) continue;
      const end = endOf(this.courseOf(known));
      if (end.atMs > this.nowMs) continue;
      await endBatch({ court: this.#court, bill: this.#bill, book: this.#book }, known, end);
    }
  }

  courseOf({ record: batch, cancelledMs }: KnownBatch): Parameters<typeof endOf>[0] {
    return { batch, cancelledMs, config: this.#court.config.batches };
  }

  /** Files that their owner can see, newest first. */
  files(): FileRecord[] {
    const files = this.#book.files().filter(({ purpose }) => purpose !== internalPurpose);
    return files.toReversed();
  }

  file(id: string): FileRecord | undefined {
    const file = this.#book.file(id);
    return file?.purpose === internalPurpose ? undefined : file;
  }

  async addFile(file: Pick<FileRecord, 'filename' | 'purpose'>, content: Buffer): Promise<FileRecord> {
    const nowMs = this.nowMs;
    const id = `file-${newId(new Date(nowMs)).replaceAll('-', '').slice(8)}`;
    const record = { ...file, id, bytes: content.length, createdMs: nowMs };
    await this.#book.addFile(record, content);
    return record;
  }

  async content(fileId: string): Promise<Buffer> {
    return await this.#book.content(fileId);
  }

  async removeFile(id: string): Promise<void> {
    await this.#book.removeFile(id);
  }

  /** The provider's batches that it says it has, newest first. */
  batches(provider: BatchRecord['provider']): KnownBatch[] {
    const own = ({ record }: KnownBatch): boolean =>
      record.provider === provider && record.faults.lose === undefined;
    return this.#book.batches().filter(own).toReversed();
  }

  batch(provider: BatchRecord['provider'], id: string): KnownBatch | undefined {
    return this.batches(provider).find(({ record }) => record.id === id);
  }

  /** Tokens of input that batches of the model which have not ended hold. */
  enqueuedTokens(model: string): number {
    let tokens = 0;
    for (const { record, end } of this.#book.batches()) {
      if (end === undefined && record.model === model) tokens += record.inputTokens;
    }
    return tokens;
  }

  async create(batch: NewBatch): Promise<KnownBatch> {
    const createdMs = this.nowMs;
    const prefix = batch.provider === 'openai' ? 'batch_' : 'msgbatch_';
    const id = `${prefix}${newId(new Date(createdMs)).replaceAll('-', '')}`;
    const durationMs = this.config.batches.durationMs + (batch.faults.slow?.delayMs ?? 0);
    const record: BatchRecord = { ...batch, id, createdMs, durationMs };
    await this.#book.record({ batch: record });
    return this.#book.batch(id) ?? { record, cancelledMs: undefined, end: undefined };
  }

  async cancel({ record: { id } }: KnownBatch): Promise<void> {
    await this.#book.record({ cancelled: { id, atMs: this.nowMs } });
  }

  async removeBatch({ record, end }: KnownBatch): Promise<void> {
    await this.#book.record({ batchRemoved: record.id });
    await this.#book.removeFile(record.inputFileId);
    const { outputFileId = null } = end ?? {};
    if (outputFileId !== null) await this.#book.removeFile(outputFileId);
  }

  async close(): Promise<void> {
    await this.#catchingUp;
    await this.#book.close();
  }
}
