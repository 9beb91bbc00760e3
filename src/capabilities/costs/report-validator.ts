import { createHash } from 'node:crypto';
import type { ColumnStore } from '../../drivers/column-store/column-store.ts';

/*
 * Validators of reports (RFC 9110, section 8.8): weak entity tags, made of the question and of the parts that the tables have for the
 * months of its period, which the engine knows without reading rows. Whatever changes a figure (late records, corrections, an
 * erasure, pruning) changes a part; a merge changes one too, without a figure: then the report is made once more than it must be.
 */

const tables = ['usage', 'message_outcomes'] as const;

/** The entity tag of the answer to a question about a period. */
export async function reportValidator(
  store: ColumnStore,
  { from, to }: { readonly from: Date; readonly to: Date },
  question: unknown,
): Promise<string> {
  const [row] = await store.query<{ readonly state: string }>(
    `SELECT toString(groupBitXor(cityHash64(table, name, hash_of_all_files))) AS state FROM system.parts
WHERE database = {database:String} AND table IN {tables:Array(String)} AND active
  AND partition >= {first:String} AND partition <= {last:String}`,
    { database: store.database, tables, first: partitionOf(from), last: partitionOf(to) },
  );
  const text = JSON.stringify([question, row?.state]);
  return `W/"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
}

/** Whether a header If-None-Match names the tag, by weak comparison. */
export function isMatched(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  const opaque = tag.replace(/^W\//, '');
  return [...header.matchAll(/(?:W\/)?("[^"]*")/g)].some((match) => match[1] === opaque);
}

/** Tables are partitioned by the month of UTC. */
function partitionOf(time: Date): string {
  return time.toISOString().slice(0, 7).replace('-', '');
}
