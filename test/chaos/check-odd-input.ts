import { admittedEvents } from './admitted-events.ts';
import type { Evidence, FailureEvidence, MessageEvidence } from './evidence.ts';
import { groupedBy, InvariantCheck, type InvariantResult } from './invariant-check.ts';
import { digestOfOdd } from './odd-input.ts';
import { isCursed, isGuilty, isStormy, maxAttempts } from './workload.ts';

/** How an end tells that the message itself, or the program, was at fault. None of them is due to an innocent one. */
const codesOfGuilt: ReadonlySet<string> = new Set([
  'MILLRACE_STAGE_FAILED',
  'MILLRACE_MESSAGE_INVALID',
  'MILLRACE_ORIGIN_INVALID',
  'MILLRACE_DATA_REFUSED',
  'MILLRACE_DATABASE_FAILED',
  'MILLRACE_PAYLOAD_MISSING',
  'MILLRACE_INTERNAL',
]);

/**
 * I11: odd data arrives as it was sent, wherever it follows; what must be refused at admission is refused with its
 * reason; whatever a handler throws is recorded and counts as one attempt; who is guilty ends as a dead letter with its
 * own reason, and nobody else for theirs.
 */
export function checkOddInput(evidence: Evidence): InvariantResult {
  const { messages, failures, refusals } = evidence;
  const admittedOf = admittedEvents(evidence);
  const check = new InvariantCheck('I11', 'odd input arrives whole, is refused alone, affects no other');
  for (let refused = refusals.wrong.length; refused < refusals.tried; refused += 1)
    check.expect(true, undefined, () => '');
  for (const wrong of refusals.wrong) check.expect(false, undefined, () => `refused admission: ${wrong}`);
  const byId = new Map(messages.map((message) => [message.id, message]));
  const failuresOf = groupedBy(failures, (failure) => failure.message_id);
  for (const message of messages) {
    const root = byId.get(message.root_id);
    const admitted = root && admittedOf(root.event_id);
    if (admitted === undefined) continue;
    checkData(check, message, digestOfOdd(admitted.odd));
    if (message.stage !== '') checkEnd(check, message, failuresOf.get(message.id) ?? []);
  }
  for (const failure of failures) checkRecord(check, failure, byId.get(failure.message_id));
  return check.result;
}

function checkData(check: InvariantCheck, { id, data, result }: MessageEvidence, sent: string): void {
  check.expect(data.odd === sent, id, () => `its odd data is ${data.odd} instead of ${sent}`);
  if (result === null) return;
  const { odd: seen } = JSON.parse(result) as { odd?: string };
  check.expect(seen === sent, id, () => `its handler saw the odd data ${String(seen)} instead of ${sent}`);
}

function checkEnd(
  check: InvariantCheck,
  { id, stage, state, error_code: code, attempts, data: { key } }: MessageEvidence,
  failures: readonly FailureEvidence[],
): void {
  const isKeyGuilty = stage === 'outline' && isGuilty(key);
  const isFailing = isCursed(stage, key);
  if (isKeyGuilty || isFailing) {
    check.expect(state !== 'completed', id, () => 'it was completed, though it cannot have been');
  }
  if (!isKeyGuilty && code !== 'MILLRACE_STAGE_FAILED') {
    check.expect(
      code === null || !codesOfGuilt.has(code),
      id,
      () => `it is innocent and ended with ${String(code)}`,
    );
  }
  check.expect(
    code !== 'MILLRACE_STAGE_FAILED' || attempts === maxAttempts,
    id,
    () => `it was given up after ${attempts} attempts of ${maxAttempts}`,
  );
  check.expect(
    code !== 'MILLRACE_STAGE_FAILED' || isFailing,
    id,
    () => 'it failed for good, and its handler throws once at most',
  );
  if (isStormy(key) && state === 'completed') {
    check.expect(failures.length > 0, id, () => 'its handler threw, and no failed attempt is recorded');
  }
}

/** Every failure is recorded with a readable chain of causes; only handlers that throw fail by themselves. */
function checkRecord(
  check: InvariantCheck,
  { message_id: id, fencing_token: fencingToken, code, detail }: FailureEvidence,
  message: MessageEvidence | undefined,
): void {
  const chain = chainIn(detail);
  const isReadable = chain.length > 0 && chain.every(({ message: text }) => typeof text === 'string');
  check.expect(
    isReadable,
    id,
    () => `the failure of fencing token ${fencingToken} says nothing: ${detail.slice(0, 200)}`,
  );
  if (code !== 'MILLRACE_STAGE_FAILED' || message === undefined) return;
  const { stage, data } = message;
  check.expect(
    isStormy(data.key) || isCursed(stage, data.key),
    id,
    () => `its handler failed, and had not been told to: ${detail.slice(0, 500)}`,
  );
}

function chainIn(detail: string): readonly { readonly message?: unknown }[] {
  const { chain } = JSON.parse(detail) as { chain?: unknown };
  return Array.isArray(chain) ? (chain as { message?: unknown }[]) : [];
}
