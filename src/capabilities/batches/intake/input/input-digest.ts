import { createHash } from 'node:crypto';
import type { UploadQuery } from '../intake-requests.ts';

/** What of an input tells it from another one. */
export interface DigestedInput {
  readonly format: string;
  readonly query: UploadQuery;
}

/** The digest of an input: of its bytes, decompressed, and of how they are read. */
export class InputDigest {
  readonly #hash = createHash('sha256');

  constructor({ format, query }: DigestedInput) {
    const { form, types, idColumn = null, customerColumn = null, teamColumn = null, omit } = query;
    const columns = [idColumn, customerColumn, teamColumn, omit.toSorted()];
    this.#hash.update(`${JSON.stringify([format, form, types, columns])}\n`);
  }

  /** The same bytes, which then belong to the digest. */
  async *over(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces) {
      this.#hash.update(piece);
      yield piece;
    }
  }

  /** Reads bytes to their end that are needed for nothing else. */
  async take(pieces: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const piece of pieces) this.#hash.update(piece);
  }

  /** In hexadecimal, once. */
  end(): string {
    return this.#hash.digest('hex');
  }
}
