import { defaultLaneWeights } from '../../src/engine/ledger/lane-shares.ts';
import type { Evidence, HistoryEvidence, MessageEvidence } from './evidence.ts';
import { groupedBy, InvariantCheck, type InvariantResult } from './invariant-check.ts';
import { ReadyRows } from './ready-rows.ts';

/*
 * I9: whose turn it is. The history is played again: what is ready by stage, lane and customer, claim by claim.
 *
 *   shares     claims that left more than a few in two or more lanes are counted, by lane; their shares are the weights'
 *   customers  while a customer has something ready, no other one of the lane is served much more often than it
 *   order      messages of a key are leased one after another, each after the one before it has ended
 */

const mostOff = 0.05;
/** Fewer claims say nothing about shares. */
const leastClaims = 200;
/** A lane with this many left had more to give, whatever two workers were about to take at the same time. */
const leastLeft = 16;
/** How often another customer may be served before one that waits: each worker has its own round, and begins it anew. */
const mostTurns = 30;

export function checkTurns(evidence: Evidence): InvariantResult {
  const check = new InvariantCheck('I9', 'lane shares within 5 %, no customer starved');
  const tallies = playAgain(check, evidence);
  let most = 0;
  for (const [lanes, counts] of tallies) {
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
    most = Math.max(most, total);
    if (total < leastClaims) continue;
    const names = lanes.split(' ');
    const weights = names.reduce((sum, lane) => sum + (defaultLaneWeights[lane] ?? 0), 0);
    for (const lane of names) {
      const share = (counts.get(lane) ?? 0) / total;
      const due = (defaultLaneWeights[lane] ?? 0) / weights;
      check.expect(
        Math.abs(share - due) <= mostOff,
        undefined,
        () => `${lane} got ${share.toFixed(3)} of ${total} claims beside ${lanes}, due ${due.toFixed(3)}`,
      );
    }
  }
  checkOrder(check, evidence);
  return most >= leastClaims
    ? check.result
    : {
        ...check.result,
        note: `shares not judged: at most ${most} claims between full lanes, of ${leastClaims}`,
      };
}

/** The claims between lanes that were all backlogged, by these lanes. */
function playAgain(
  check: InvariantCheck,
  { messages, history, pauses }: Evidence,
): ReadonlyMap<string, ReadonlyMap<string, number>> {
  const byId = new Map(messages.map((message) => [message.id, message]));
  const ready = new ReadyRows();
  const tallies = new Map<string, Map<string, number>>();
  let claimed: MessageEvidence[] = [];
  let xact = '';
  const isPausedAt = (ms: number): boolean =>
    pauses.some(({ askedMs, toMs }) => ms >= askedMs && ms <= toMs + 500);
  for (const change of history) {
    if (change.xact !== xact) {
      tally(claimed, ready, tallies);
      claimed = [];
      xact = change.xact;
    }
    const message = byId.get(change.message_id);
    // Whose key holds it back is not ready, whatever its row says.
    if (message === undefined || message.stage === '' || message.order_key !== null) continue;
    const isPaused = isPausedAt(change.at_ms);
    if (isPaused) ready.forgetTurns();
    if (isReady(change)) ready.add(message);
    else if (change.to_state === 'leased') {
      const turns = ready.take(message);
      if (isPaused) continue;
      claimed.push(message);
      if (turns === undefined) continue;
      check.expect(
        turns.most <= mostTurns,
        message.id,
        () =>
          `${turns.customer} was served ${turns.most} times in lane ${message.lane} of ${message.stage} while ${message.customer} waited`,
      );
    } else ready.remove(message);
  }
  tally(claimed, ready, tallies);
  return tallies;
}

function isReady({
  to_state: to,
  parked_for: parkedFor,
  available_ms: availableMs,
  at_ms: atMs,
}: HistoryEvidence): boolean {
  return to === 'pending' && parkedFor === null && availableMs <= atMs + 5;
}

function tally(
  claimed: readonly MessageEvidence[],
  ready: ReadyRows,
  tallies: Map<string, Map<string, number>>,
): void {
  for (const [stage, ofStage] of groupedBy(claimed, (message) => message.stage)) {
    const full = ready.lanesWith(stage, leastLeft);
    if (full.length < 2) continue;
    const key = full.toSorted().join(' ');
    const counts = tallies.get(key) ?? new Map<string, number>();
    tallies.set(key, counts);
    for (const { lane } of ofStage) if (full.includes(lane)) counts.set(lane, (counts.get(lane) ?? 0) + 1);
  }
}

function checkOrder(check: InvariantCheck, { messages, history }: Evidence): void {
  const firstLease = new Map<string, number>();
  const ended = new Map<string, number>();
  for (const { message_id: id, to_state: to, at_ms: atMs } of history) {
    if (to === 'leased' && !firstLease.has(id)) firstLease.set(id, atMs);
    const isEnd = to === 'completed' || to === 'dead_lettered' || to === 'cancelled';
    // One that is replayed has let the next of its key go at its first end.
    if (isEnd && !ended.has(id)) ended.set(id, atMs);
  }
  const ofKey = groupedBy(messages, ({ stage, order_key: key }) => (key === null ? null : `${stage} ${key}`));
  for (const group of ofKey.values()) {
    const inOrder = group.toSorted((left, right) => (left.order_place ?? 0) - (right.order_place ?? 0));
    for (const [at, message] of inOrder.entries()) {
      const before = inOrder[at - 1];
      if (before === undefined) continue;
      const leasedMs = firstLease.get(message.id) ?? Number.POSITIVE_INFINITY;
      check.expect(
        leasedMs >= (ended.get(before.id) ?? Number.POSITIVE_INFINITY),
        message.id,
        () => `it was leased before message ${before.id} of its key had ended`,
      );
    }
  }
}
