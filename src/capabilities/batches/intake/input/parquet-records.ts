import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { UnreadableInput } from './input-faults.ts';
import { columnFault, faultyRecord, type InputRecord, itemOfRow, type TableColumns } from './input-record.ts';
import type { ParquetAnswer, ParquetTask } from './parquet-thread.ts';

export interface ParquetOptions extends Omit<ParquetTask, 'path'> {
  readonly columns: TableColumns;
}

/** Beyond the decoded bytes of a row group: what values take as objects, and what the thread itself needs. */
const heapFactor = 4;
const heapBaseMb = 128;
const bytesOfMb = 1_048_576;

/** The items of a Parquet file, a row each. Throws UnreadableInput for what is no sound file, and for one beyond the bounds. */
export async function* parquetRecords(
  path: string,
  { columns, ...task }: ParquetOptions,
): AsyncGenerator<InputRecord> {
  const thread = new Worker(new URL(threadFile, import.meta.url), {
    workerData: { path, ...task } satisfies ParquetTask,
    resourceLimits: {
      maxOldGenerationSizeMb: heapBaseMb + Math.ceil((task.bounds.rowGroupBytes / bytesOfMb) * heapFactor),
    },
  });
  try {
    let place = 0;
    for (;;) {
      const answer = await nextAnswer(thread);
      if (answer.kind === 'end') return;
      if (answer.kind === 'bad') throw unreadable(answer.problem);
      if (answer.kind === 'columns') {
        const fault = columnFault(answer.names, columns);
        if (fault !== undefined) throw new UnreadableInput({ ...fault, field: 'columns' });
        continue;
      }
      for (const row of answer.rows) {
        place += 1;
        yield 'values' in row
          ? { kind: 'item', place, parts: withTexts(itemOfRow(row.values, columns)) }
          : faultyRecord(place, row.column, row.problem);
      }
    }
  } finally {
    await thread.terminate();
  }
}

/** In the sources and in what is built from them. */
const threadFile = import.meta.url.endsWith('.ts') ? './parquet-thread.ts' : './parquet-thread.js';

async function nextAnswer(thread: Worker): Promise<ParquetAnswer> {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window and has no origin
  thread.postMessage('next');
  try {
    const [answer] = (await once(thread, 'message')) as [ParquetAnswer];
    return answer;
  } catch (error) {
    if (!isOutOfMemory(error)) throw error;
    throw unreadable('takes more memory to decode than it may; write it with smaller row groups', error);
  }
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
}

function unreadable(problem: string, cause?: unknown): UnreadableInput {
  return new UnreadableInput({ field: '', problem }, undefined, cause);
}

/** Ids may be numbers in a table, and are texts of an item. */
function withTexts<Parts extends { readonly id?: unknown }>(parts: Parts): Parts {
  return typeof parts.id === 'number' ? { ...parts, id: String(parts.id) } : parts;
}
