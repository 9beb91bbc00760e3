import type { BranchEvidence, Evidence, MessageEvidence } from './evidence.ts';
import { groupedBy, InvariantCheck, type InvariantResult } from './invariant-check.ts';

const ends: readonly string[] = ['completed', 'dead_lettered', 'cancelled'];

/**
 * I19: a message that waits for others goes on once, not before enough of them have ended, and sees them as they ended. What had ended when it was let
 * go, the trigger's history says: its row of a release stands behind those of all ends that were counted.
 */
export function checkJoins({ messages, branches, history }: Evidence): InvariantResult {
  const check = new InvariantCheck('I19', 'every join went on once, and not early');
  const changesOf = groupedBy(
    history.map((change, seq) => ({ ...change, seq })),
    (change) => change.message_id,
  );
  const waitingOf = groupedBy(messages, (message) => message.join_id);
  const partsOf = groupedBy(messages, (message) => message.branch_id);
  /** What the message was when so much of the history had happened; undefined before it was there. */
  const stateAt = (id: string, seq: number): string | undefined =>
    changesOf.get(id)?.findLast((change) => change.seq < seq)?.to_state;

  for (const [joinId, all] of groupedBy(branches, (branch) => branch.join_id)) {
    const [waiting, ...others] = waitingOf.get(joinId) ?? [];
    check.expect(
      waiting !== undefined && others.length === 0,
      waiting?.id,
      () => `${joinId} has one message that waits`,
    );
    if (waiting === undefined) continue;
    const changes = changesOf.get(waiting.id) ?? [];
    const released = changes.filter(
      ({ parked_for: now }, at) => now !== 'join' && (at === 0 || changes[at - 1]?.parked_for === 'join'),
    );
    const [release] = released;
    check.expect(released.length === 1, waiting.id, () => `it was let go ${released.length} times`);
    if (release === undefined) continue;
    const states = all.map((branch) =>
      stateOf(partsOf.get(branch.id) ?? [], (id) => stateAt(id, release.seq)),
    );
    checkRelease(check, waiting.id, all, states);
    checkSeen(check, waiting, all);
  }
  return check.result;
}

type BranchState = 'open' | 'succeeded' | 'failed';

function stateOf(
  parts: readonly MessageEvidence[],
  stateThen: (id: string) => string | undefined,
): BranchState {
  const states = parts.map(({ id }) => stateThen(id)).filter((state) => state !== undefined);
  if (states.some((state) => !ends.includes(state)) || states.length === 0) return 'open';
  return states.every((state) => state === 'completed') ? 'succeeded' : 'failed';
}

function checkRelease(
  check: InvariantCheck,
  id: string,
  all: readonly BranchEvidence[],
  states: readonly BranchState[],
): void {
  const [
    { quorum, ended, succeeded, released_by: by } = {
      quorum: null,
      ended: 0,
      succeeded: 0,
      released_by: null,
    },
  ] = all;
  const total = all.length;
  const hadEnded = states.filter((state) => state !== 'open').length;
  const hadSucceeded = states.filter((state) => state === 'succeeded').length;
  // What ends at the same time is perhaps not counted any more.
  check.expect(
    ended <= hadEnded && succeeded <= hadSucceeded,
    id,
    () =>
      `it counted ${ended} ended and ${succeeded} succeeded branches, and there were ${hadEnded} and ${hadSucceeded}`,
  );
  const isDue =
    by === 'all'
      ? ended === total && hadEnded === total
      : by === 'quorum'
        ? quorum !== null && succeeded >= quorum
        : by === 'unreachable' && quorum !== null && total - ended + succeeded < quorum;
  check.expect(
    isDue,
    id,
    () =>
      `it was let go (${String(by)}) with ${hadEnded} of ${total} branches ended, ${hadSucceeded} of them well, quorum ${String(quorum)}`,
  );
}

/** Its handler saw each branch once, as the join has it. */
function checkSeen(
  check: InvariantCheck,
  { id, state, result }: MessageEvidence,
  all: readonly BranchEvidence[],
): void {
  if (state !== 'completed') return;
  const { joined = [] } = JSON.parse(result ?? '{}') as { joined?: readonly string[] };
  const expected = all.map((branch) => `${branch.id} ${branch.state}`);
  check.expect(
    joined.join() === expected.join(),
    id,
    () => `it saw [${joined.join()}] instead of [${expected.join()}]`,
  );
}
