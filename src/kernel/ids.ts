import { hash, randomFillSync } from 'node:crypto';

/*
 * Identifiers are UUIDs whose first 48 bits are milliseconds, so that rows written together lie together.
 * A new id (version 7) is random behind its time; a derived id (version 8) is the hash of what it was
 * derived from, so that the same cause always yields the same id, however often it is repeated.
 */

/** A UUID in its canonical lower-case text form. */
export type Uuid = string;

const pool = Buffer.alloc(16 * 256);
let poolOffset = pool.length;

/** A new time-ordered UUID (version 7). */
export function newId(now: Date): Uuid {
  if (poolOffset === pool.length) {
    randomFillSync(pool);
    poolOffset = 0;
  }
  const bytes = pool.subarray(poolOffset, poolOffset + 16);
  poolOffset += 16;
  return format(bytes, now.getTime(), 0x70);
}

/** The UUID (version 8) that follows from its parts and lies at the given time in order. */
export function derivedId(at: Date, ...parts: readonly string[]): Uuid {
  let joined = '';
  for (const part of parts) joined += `${part.length}:${part}`;
  return format(hash('sha256', joined, 'buffer'), at.getTime(), 0x80);
}

/** The least id of a time: every id that lies at it or later is not below. */
export function timeId(at: Date): Uuid {
  const hex = at.getTime().toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

/** The time that stands in an id's first 48 bits. */
export function timeOfId(id: Uuid): Date {
  return new Date(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16));
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function isUuid(text: string): boolean {
  return uuidPattern.test(text);
}

function format(source: Uint8Array, timeMs: number, version: number): Uuid {
  const bytes = Buffer.from(source.subarray(0, 16));
  bytes.writeUIntBE(timeMs, 0, 6);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | version;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
