import { parquetRows } from '../../../http/parquet-rows.ts';
import { focusColumns, type FocusRow } from './focus-columns.ts';

/** Enough that row groups compress well, few enough that one is small beside the process. */
const rowsPerGroup = 20_000;

/** A FOCUS dataset as Parquet, piece by piece. */
export function focusParquet(pieces: AsyncIterable<readonly FocusRow[]>): AsyncGenerator<Uint8Array> {
  return parquetRows(focusColumns, groupsOf(pieces));
}

async function* groupsOf(pieces: AsyncIterable<readonly FocusRow[]>): AsyncGenerator<readonly FocusRow[]> {
  let waiting: FocusRow[] = [];
  for await (const rows of pieces) {
    waiting = waiting.length === 0 ? [...rows] : waiting.concat(rows);
    while (waiting.length >= rowsPerGroup) {
      yield waiting.slice(0, rowsPerGroup);
      waiting = waiting.slice(rowsPerGroup);
    }
  }
  if (waiting.length > 0) yield waiting;
}
