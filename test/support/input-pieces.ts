import type { InputRecord } from '../../src/capabilities/batches/intake/input/input-record.ts';

/** The bytes in pieces of a size, as a connection may bring them. */
export async function* inPieces(content: string | Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  for (let at = 0; at < bytes.length; at += size) {
    await Promise.resolve();
    yield bytes.subarray(at, at + size);
  }
}

/** A record in a few words: its place, and its id and data, or what is wrong with it. */
export function shortly(record: InputRecord): readonly unknown[] {
  return record.kind === 'item'
    ? [record.place, record.parts.id, record.parts.data]
    : [record.place, ...record.faults.map(({ field, problem }) => `${field}: ${problem}`)];
}
