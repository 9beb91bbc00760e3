import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../kernel/app-error.ts';
import { LineLog } from '../line-log.ts';
import {
  type BatchEnd,
  type BatchEvent,
  type BatchRecord,
  type FileRecord,
  recordSchema,
} from './batch-records.ts';

/*
 * Files and batches of the simulator. With a directory each event is a line of batches.jsonl and each file's content a
 * file; without one all of it is in memory and ends with the process. An event counts once it is written.
 */

/** A batch with what has become of it. */
export interface KnownBatch {
  readonly record: BatchRecord;
  cancelledMs: number | undefined;
  end: BatchEnd | undefined;
}

export class BatchBook {
  readonly #log: LineLog | undefined;
  readonly #directory: string | undefined;
  readonly #contents = new Map<string, Buffer>();
  readonly #files = new Map<string, FileRecord>();
  readonly #batches = new Map<string, KnownBatch>();
  #numbers = 0;

  private constructor(log: LineLog | undefined, directory: string | undefined) {
    this.#log = log;
    this.#directory = directory;
  }

  /** Opens the book in the directory and goes on with what stands in it, or begins one in memory. */
  static async open(directory: string | undefined): Promise<BatchBook> {
    if (directory === undefined) return new BatchBook(undefined, undefined);
    const contents = join(directory, 'batch-files');
    await mkdir(contents, { recursive: true });
    const log = await LineLog.open(directory, 'batches.jsonl');
    const book = new BatchBook(log, contents);
    for (const text of await log.readLines()) {
      const event = parsed(log.path, text);
      if ('file' in event || 'batch' in event) book.#numbers += 1;
      book.#apply(event);
    }
    return book;
  }

  /** A number that no other file or batch has: what is drawn for it follows from the seed and this. */
  takeNumber(): number {
    this.#numbers += 1;
    return this.#numbers;
  }

  /** Oldest first. */
  files(): FileRecord[] {
    return [...this.#files.values()];
  }

  file(id: string): FileRecord | undefined {
    return this.#files.get(id);
  }

  /** Oldest first, those that were lost among them. */
  batches(): KnownBatch[] {
    return [...this.#batches.values()];
  }

  batch(id: string): KnownBatch | undefined {
    return this.#batches.get(id);
  }

  async addFile(file: FileRecord, content: Buffer): Promise<void> {
    if (this.#directory === undefined) this.#contents.set(file.id, content);
    else await writeFile(join(this.#directory, file.id), content);
    await this.record({ file });
  }

  async content(id: string): Promise<Buffer> {
    if (this.#directory === undefined) return this.#contents.get(id) ?? Buffer.alloc(0);
    return await readFile(join(this.#directory, id));
  }

  async removeFile(id: string): Promise<void> {
    await this.record({ fileRemoved: id });
    if (this.#directory === undefined) this.#contents.delete(id);
    else await rm(join(this.#directory, id), { force: true });
  }

  /** Writes down what happened; it holds from then on. */
  async record(event: BatchEvent): Promise<void> {
    await this.#log?.append(JSON.stringify(event));
    this.#apply(event);
  }

  async close(): Promise<void> {
    await this.#log?.close();
  }

  #apply(event: BatchEvent): void {
    if ('file' in event) {
      this.#files.set(event.file.id, event.file);
    } else if ('fileRemoved' in event) {
      this.#files.delete(event.fileRemoved);
    } else if ('batch' in event) {
      this.#batches.set(event.batch.id, { record: event.batch, cancelledMs: undefined, end: undefined });
    } else if ('cancelled' in event) {
      const known = this.#batches.get(event.cancelled.id);
      if (known !== undefined) known.cancelledMs ??= event.cancelled.atMs;
    } else if ('ended' in event) {
      const known = this.#batches.get(event.ended.id);
      if (known !== undefined) known.end = event.ended;
    } else {
      this.#batches.delete(event.batchRemoved);
    }
  }
}

function parsed(path: string, text: string): BatchEvent {
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new AppError(
      'MILLRACE_SIMULATOR_BILL_UNREADABLE',
      `A line of ${path} cannot be read: ${text.slice(0, 200)}`,
      { cause },
    );
  }
}
