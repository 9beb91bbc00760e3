import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Clock } from '../../../../kernel/clock.ts';
import { UnreadableInput } from './input-faults.ts';
import { columnFault, faultyRecord, type InputRecord, itemOfRow, type TableColumns } from './input-record.ts';
import type { ParquetAnswer, ParquetTask } from './parquet-thread.ts';

export interface ParquetOptions extends Omit<ParquetTask, 'path'> {
  readonly columns: TableColumns;
  readonly clock: Pick<Clock, 'startTimer'>;
  /** Of reading it whole. */
  readonly timeoutMs: number;
  /** Nobody waits for it any more. */
  readonly signal?: AbortSignal | undefined;
}

/** Beyond the decoded bytes of a row group: what values take as objects, and what the thread itself needs. */
const heapFactor = 4;
const heapBaseMb = 128;
const bytesOfMb = 1_048_576;
/** Of one answer of the thread: a row group is decoded in it. */
const answerMs = 300_000;

/**
 * The items of a Parquet file, a row each. A file of some bytes may say that it holds any amount of work: the thread is ended when it takes
 * too long, and when nobody waits for it. Throws UnreadableInput for what is no sound file, and for one beyond the bounds; the signal's reason.
 */
export async function* parquetRecords(
  path: string,
  { columns, clock, timeoutMs, signal, ...task }: ParquetOptions,
): AsyncGenerator<InputRecord> {
  const thread = new Worker(new URL(threadFile, import.meta.url), {
    workerData: { path, ...task } satisfies ParquetTask,
    resourceLimits: {
      maxOldGenerationSizeMb: heapBaseMb + Math.ceil((task.bounds.rowGroupBytes / bytesOfMb) * heapFactor),
    },
  });
  // Whoever waits for an answer gets its error. One that comes when nobody does any more is of a thread that is ended.
  thread.on('error', () => undefined);
  const late = new AbortController();
  const giveUp = (): void =>
    late.abort(
      unreadable('takes longer to read than it may (batches.readTimeoutMs); split it into several files'),
    );
  const whole = clock.startTimer(timeoutMs, giveUp);
  const stop = signal === undefined ? late.signal : AbortSignal.any([late.signal, signal]);
  try {
    let place = 0;
    for (;;) {
      const one = clock.startTimer(answerMs, giveUp);
      const answer = await nextAnswer(thread, stop).finally(() => one.close());
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
    whole.close();
    await thread.terminate();
  }
}

/** In the sources and in what is built from them. */
const threadFile = import.meta.url.endsWith('.ts') ? './parquet-thread.ts' : './parquet-thread.js';

async function nextAnswer(thread: Worker, signal: AbortSignal): Promise<ParquetAnswer> {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window and has no origin
  thread.postMessage('next');
  try {
    const [answer] = (await once(thread, 'message', { signal })) as [ParquetAnswer];
    return answer;
  } catch (error) {
    signal.throwIfAborted();
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
