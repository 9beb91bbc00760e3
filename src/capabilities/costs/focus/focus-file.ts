import { focusCsvHeader, focusCsvLines } from './focus-csv.ts';
import type { FocusRow } from './focus-columns.ts';
import { focusParquet } from './focus-parquet.ts';

/** The forms that an export has, with their media types. */
export const focusFormats = { csv: 'text/csv', parquet: 'application/vnd.apache.parquet' } as const;
export type FocusFormat = keyof typeof focusFormats;

/** The bytes of the rows' file, piece by piece. */
export function focusFile(
  format: FocusFormat,
  pieces: AsyncIterable<readonly FocusRow[]>,
): AsyncGenerator<string | Uint8Array> {
  return format === 'csv' ? focusCsv(pieces) : focusParquet(pieces);
}

async function* focusCsv(pieces: AsyncIterable<readonly FocusRow[]>): AsyncGenerator<string> {
  yield focusCsvHeader;
  for await (const rows of pieces) yield focusCsvLines(rows);
}
