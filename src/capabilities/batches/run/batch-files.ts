import type { Readable } from 'node:stream';
import type { Clock } from '../../../kernel/clock.ts';
import type { Viewer } from '../../../http/operator.ts';
import { startingWith, streamOf } from '../../../http/streamed-answer.ts';
import type { Batch } from '../batch.ts';
import type { BatchService, OutputWanted } from './batch-service.ts';

/** A file of a batch, sent as it is read. */
export interface BatchFile {
  /** For the name of the file: letters that every system takes. */
  readonly name: string;
  readonly stream: Readable;
}

/** The files of batches for the API. What refuses one is thrown before any of it is sent. */
export class BatchFiles {
  readonly #service: BatchService;
  readonly #clock: Clock;

  constructor(service: BatchService, clock: Clock) {
    this.#service = service;
    this.#clock = clock;
  }

  async output(reference: string, viewer: Viewer, options: OutputWanted): Promise<BatchFile> {
    return await this.#file(await this.#service.output(reference, viewer, options));
  }

  async failedItems(reference: string, viewer: Viewer): Promise<BatchFile> {
    return await this.#file(await this.#service.failedItems(reference, viewer));
  }

  async #file({
    batch,
    pieces,
  }: {
    readonly batch: Batch;
    readonly pieces: AsyncGenerator<string | Uint8Array>;
  }): Promise<BatchFile> {
    const first = await pieces.next();
    return { name: `batch-${batch.id}`, stream: streamOf(startingWith(first, pieces), this.#clock) };
  }
}
