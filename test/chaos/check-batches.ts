import type { BatchChange, ExpectedItem } from './batch-evidence.ts';
import { type BatchView, checkedBatches, type ItemView } from './batch-views.ts';
import { successThreshold } from './batch-workload.ts';
import type { Evidence } from './evidence.ts';
import type { InvariantCheck, InvariantResult } from './invariant-check.ts';
import { causeOf } from './workload.ts';

const itemEnds = ['succeeded', 'failed', 'expired', 'cancelled', 'skipped'] as const;
const itemEndNames: ReadonlySet<string> = new Set(itemEnds);
const batchEndNames: ReadonlySet<string> = new Set(['succeeded', 'failed', 'expired', 'cancelled']);

/** I14: every item of the input ends in one of five ways, and they add up to it; a batch ends once. Only a retry opens an end again. */
export function checkBatchEnds(evidence: Evidence): InvariantResult {
  const about = { name: 'I14', says: 'every item of a batch ended once, and they add up to the input' };
  return checkedBatches(evidence, about, (check, { batches }) => {
    const { changes } = evidence.batches;
    for (const batch of batches)
      checkBatch(
        check,
        batch,
        changes.filter((one) => one.batch === batch.planned.name),
      );
  });
}

function checkBatch(check: InvariantCheck, batch: BatchView, changes: readonly BatchChange[]): void {
  const { planned, row, items, asked } = batch;
  check.expect(row !== undefined, undefined, () => `batch ${planned.name} is not in the ledger`);
  if (row === undefined) return;
  const about = (what: string) => (): string => `batch ${planned.name}: ${what}`;
  check.expect(
    row.items === planned.items.length,
    undefined,
    about(`${row.items} items of ${planned.items.length}`),
  );
  for (const end of itemEnds) {
    const counted = items.filter((item) => item.row?.state === end).length;
    check.expect(
      row[end] === counted,
      undefined,
      about(`${row[end]} ${end} by its counter, ${counted} by its items`),
    );
  }
  const ended = itemEnds.reduce((sum, end) => sum + row[end], 0);
  check.expect(ended === row.items, undefined, about(`${ended} of ${row.items} items ended`));
  const isEnough = row.succeeded * 100 >= successThreshold * row.items;
  const due =
    asked.cancel > 0 ? [isEnough ? 'succeeded' : 'failed', 'cancelled'] : [isEnough ? 'succeeded' : 'failed'];
  check.expect(
    due.includes(row.state),
    undefined,
    about(`it is ${row.state} instead of ${due.join(' or ')}`),
  );
  checkEndings(
    check,
    changes.filter(({ position }) => position === null),
    {
      what: `batch ${planned.name}`,
      names: batchEndNames,
      retries: asked.retry,
      messageId: undefined,
      isAtEnd: batchEndNames.has(row.state),
    },
  );
  for (const item of items) checkItem(check, batch, item, changes);
}

interface Ending {
  readonly what: string;
  readonly names: ReadonlySet<string>;
  readonly retries: number;
  readonly messageId: string | undefined;
  readonly isAtEnd: boolean;
}

/** By the suite's own history: it came to its end once, and once more for each time that a retry opened it. */
function checkEndings(check: InvariantCheck, changes: readonly BatchChange[], ending: Ending): void {
  const { what, names, retries, messageId, isAtEnd } = ending;
  const ends = changes.filter(({ to_state: to }) => names.has(to)).length;
  const openings = changes.filter(({ from_state: from }) => names.has(from)).length;
  check.expect(isAtEnd, messageId, () => `${what} has not ended`);
  check.expect(
    ends === openings + Number(isAtEnd),
    messageId,
    () => `${what} came to an end ${ends} times, and left it ${openings} times`,
  );
  check.expect(
    openings <= retries,
    messageId,
    () => `${what} left its end ${openings} times, and was to be run again ${retries} times`,
  );
}

function checkItem(
  check: InvariantCheck,
  { planned: batch, asked }: BatchView,
  { planned, row, messages, isTouched }: ItemView,
  changes: readonly BatchChange[],
): void {
  const what = `item ${planned.id}`;
  const isThere = row?.batch === batch.name && row.position === planned.position;
  check.expect(
    isThere,
    undefined,
    () => `${what} is not at place ${planned.position} of batch ${batch.name}`,
  );
  if (row === undefined) return;
  const { state, message_id: messageId, error_code: code } = row;
  const isSkipped = state === 'skipped';
  check.expect(
    isSkipped === (planned.fate === 'unreadable'),
    messageId,
    () => `${what} is ${state}, and was ${planned.fate}`,
  );
  // What is left out was never anything else.
  if (isSkipped) return;
  const own = changes.filter(({ position }) => position === planned.position);
  const isAtEnd = itemEndNames.has(state);
  checkEndings(check, own, { what, names: itemEndNames, retries: asked.retry, messageId, isAtEnd });
  check.expect(state !== 'expired', messageId, () => `${what} is expired, and its batch has no deadline`);
  check.expect(
    state !== 'cancelled' || asked.cancel > 0,
    messageId,
    () => `${what} is cancelled, and nobody asked`,
  );
  check.expect(
    state !== 'succeeded' || planned.fate === 'sound',
    messageId,
    () => `${what} succeeded, though the provider refuses it`,
  );
  const worked = messages.filter(({ stage }) => stage !== '');
  const isWhole = worked.length === 2 && worked.every((message) => message.state === 'completed');
  check.expect(
    state !== 'succeeded' || isWhole,
    messageId,
    () => `${what} succeeded, and its messages did not`,
  );
  if (state !== 'failed' || isTouched) return;
  const codes = worked
    .filter((message) => message.state === 'dead_lettered')
    .map((message) => message.error_code);
  check.expect(
    codes.includes(code),
    messageId,
    () => `${what} failed with ${String(code)}, its messages with [${codes.join(', ')}]`,
  );
}

/**
 * I15: the output has a line for each item, in order; it is the same whenever it is read; and the lines of items that succeeded have, to
 * the byte, what the provider answers to whoever asks the same questions.
 */
export function checkBatchOutputs(evidence: Evidence): InvariantResult {
  const about = { name: 'I15', says: 'outputs of batches are whole, in order, and what nobody disturbed' };
  return checkedBatches(evidence, about, (check, { batches }) => {
    for (const { planned, reading, items } of batches) {
      const [first, ...others] = reading?.outputs ?? [];
      check.expect(first !== undefined, undefined, () => `batch ${planned.name} has no output`);
      if (first === undefined) continue;
      check.expect(
        others.length > 0 && others.every((output) => output === first),
        undefined,
        () => `the output of batch ${planned.name} was not the same when it was read again`,
      );
      const lines = first.split('\n').slice(0, -1);
      check.expect(
        lines.length === items.length,
        undefined,
        () => `the output of batch ${planned.name} has ${lines.length} lines for ${items.length} items`,
      );
      for (const [at, item] of items.entries()) checkLine(check, item, lines[at] ?? '');
    }
  });
}

function checkLine(check: InvariantCheck, { planned, row, expected }: ItemView, line: string): void {
  const { id, position, key } = planned;
  const state = row?.state ?? 'unknown';
  const head = `{"id":${JSON.stringify(id)},"position":${position},"status":"${state}",`;
  check.expect(
    line.startsWith(head),
    row?.message_id,
    () => `line ${position} is ${line.slice(0, 200)}, not ${head}…`,
  );
  if (state !== 'succeeded') return;
  const bodies = expected === undefined ? [] : textsOf(expected).map((text) => lineBody(key, text));
  check.expect(
    bodies.some((body) => line.startsWith(`${head}${body}`)),
    row?.message_id,
    () => `line ${position} says ${line.slice(0, 400)} instead of ${bodies[0] ?? 'nothing'}`,
  );
}

/** What the pipeline hands out, as JSON with its members in this order. */
function lineBody(key: string, text: string): string {
  return `"outputs":[${JSON.stringify({ key, text, index: 0, cause: causeOf(text) })}],"costUsd":`;
}

function textsOf({ replies }: ExpectedItem): readonly string[] {
  return replies.flatMap(({ texts }) => texts);
}
