import type { Evidence, MessageEvidence, OriginEvidence } from './evidence.ts';
import { groupedBy, InvariantCheck, type InvariantResult } from './invariant-check.ts';
import { admittedEvents } from './admitted-events.ts';
import { admittedAt, expectedEmissions } from './workload.ts';

const defaultMaxExpiredLeases = 5;
const ends: readonly string[] = ['completed', 'dead_lettered', 'cancelled'];

/** I1: nothing lost, nothing ended twice: by the ledger, by the trigger's history, and by the outcomes in ClickHouse. */
export function checkEnds(evidence: Evidence): InvariantResult {
  const { seed, messages, history, outcomes, replays, acknowledged, crashes, defects } = evidence;
  const admittedOf = admittedEvents(evidence);
  const check = new InvariantCheck('I1', 'every admitted message ended exactly once');
  const roots = groupedBy(
    messages.filter(({ parent_id: parent }) => parent === null),
    (root) => root.event_id,
  );
  for (const index of acknowledged) {
    const { eventId } = admittedAt(seed, index);
    const count = roots.get(eventId)?.length ?? 0;
    check.expect(
      count === 1,
      undefined,
      () => `${eventId} was acknowledged and is in the ledger ${count} times`,
    );
  }
  for (const [eventId, [root]] of roots) {
    check.expect(admittedOf(eventId) !== undefined, root?.id, () => `${eventId} was never sent`);
  }
  const changesOf = groupedBy(history, (change) => change.message_id);
  const outcomesOf = groupedBy(outcomes, (outcome) => outcome.message_id);
  const replaysOf = groupedBy(replays, (replay) => replay.message_id);
  for (const { id, state, stage, error_code: code } of messages) {
    check.expect(ends.includes(state), id, () => `it is ${state} at the end`);
    check.expect(
      code !== 'MILLRACE_MESSAGE_VERSION_UNSUPPORTED',
      id,
      () => 'it was sent before whoever consumes it could read it',
    );
    const changes = changesOf.get(id) ?? [];
    const endings = changes.filter(({ to_state: to }) => ends.includes(to)).length;
    const losses = changes.filter(
      ({ from_state: from, to_state: to }) => from === 'leased' && to === 'pending',
    );
    check.expect(
      code !== 'MILLRACE_MESSAGE_STALLED' || losses.length >= defaultMaxExpiredLeases,
      id,
      () => `it was given up for expired leases after ${losses.length} of them`,
    );
    // An operator's replay, and nothing else, opens the end of a dead letter; then it comes to one more.
    const replayed = replaysOf.get(id)?.length ?? 0;
    check.expect(
      endings === 1 + replayed,
      id,
      () => `it came to an end ${endings} times, and was replayed ${replayed} times`,
    );
    const revivals = changes.filter(({ from_state: from }) => from !== null && ends.includes(from));
    const isByReplay = revivals.every(
      ({ from_state: from, to_state: to }) => from === 'dead_lettered' && to === 'pending',
    );
    check.expect(
      revivals.length === replayed && isByReplay,
      id,
      () => `it left its end ${revivals.length} times, and was replayed ${replayed} times`,
    );
    if (stage === '') continue;
    const told = (outcomesOf.get(id) ?? []).map(({ outcome }) => outcome).toSorted();
    const ended = [...Array.from({ length: replayed }, () => 'dead_lettered'), state].toSorted();
    check.expect(
      told.join() === ended.join(),
      id,
      () => `ClickHouse says [${told.join(', ')}], the ledger [${ended.join(', ')}]`,
    );
  }
  for (const crash of crashes)
    check.expect(false, undefined, () => `a process ended that nobody killed: ${crash}`);
  for (const defect of defects) check.expect(false, undefined, () => `a process met a defect: ${defect}`);
  return check.result;
}

/** I2: what a message left behind is what one run of its handler makes: one result, and its emissions, whole. */
export function checkEffects({ messages }: Evidence): InvariantResult {
  const check = new InvariantCheck('I2', 'one result and one set of emissions per message');
  const childrenOf = groupedBy(messages, (message) => message.parent_id);
  for (const message of messages) {
    if (message.stage === '') continue;
    const children = childrenOf.get(message.id) ?? [];
    if (message.state !== 'completed') {
      check.expect(
        children.length === 0,
        message.id,
        () => `it is ${message.state} and has ${children.length} emissions`,
      );
      continue;
    }
    const cause = causeIn(message);
    check.expect(cause !== undefined, message.id, () => `its result is ${message.result ?? 'missing'}`);
    const emitted = children
      .map((child) => `${child.stage || '-'} ${child.type} #${child.data.index ?? '?'}`)
      .toSorted();
    const expected = expectedEmissions(message.stage, message.data).toSorted();
    check.expect(
      emitted.join() === expected.join(),
      message.id,
      () => `it emitted [${emitted.join(', ')}] instead of [${expected.join(', ')}]`,
    );
    const strangers = children.filter((child) => child.data.cause !== cause).length;
    check.expect(
      strangers === 0,
      message.id,
      () => `${strangers} of its emissions come from another run than its result`,
    );
  }
  return check.result;
}

function causeIn({ result }: MessageEvidence): string | undefined {
  return result === null ? undefined : (JSON.parse(result) as { cause?: string }).cause;
}

/** I7: the origin of the admission is on every message, call, usage record and outcome that followed from it. */
export function checkOrigins(evidence: Evidence): InvariantResult {
  const { messages, calls, usage, outcomes } = evidence;
  const admittedOf = admittedEvents(evidence);
  const check = new InvariantCheck('I7', 'origin on every record');
  const byId = new Map(messages.map((message) => [message.id, message]));
  for (const message of messages) {
    const root = byId.get(message.root_id);
    check.expect(root?.parent_id === null, message.id, () => 'its root is no admitted message');
    const origin = root && admittedOf(root.event_id)?.origin;
    if (origin === undefined) continue;
    const expected = { ...origin, batch: origin.batch ?? '' };
    check.expect(
      isSame(message, expected),
      message.id,
      () => `its origin is ${shown(message)} instead of ${shown(expected)}`,
    );
    const labels = message.labels === null ? undefined : JSON.stringify(JSON.parse(message.labels));
    check.expect(
      labels === (origin.labels && JSON.stringify(origin.labels)),
      message.id,
      () => `its labels are ${labels ?? 'missing'}`,
    );
  }
  for (const call of calls) {
    check.expect(
      call.message_id !== null && byId.has(call.message_id),
      call.message_id ?? undefined,
      () => `call ${call.id} has no message`,
    );
  }
  for (const record of [...usage, ...outcomes]) {
    const message = byId.get(record.message_id);
    const what = 'call_id' in record ? `the usage of call ${record.call_id}` : 'the outcome';
    check.expect(
      message !== undefined && isSame(record, message),
      record.message_id,
      () => `${what} has the origin ${shown(record)}`,
    );
  }
  return check.result;
}

function isSame(left: OriginEvidence, right: OriginEvidence): boolean {
  return shown(left) === shown(right);
}

function shown({ team, customer, feature, batch }: OriginEvidence): string {
  return `${team}/${customer}/${feature}/${batch}`;
}

/** I10: nothing is left to do, and nothing is left held. */
export function checkLeftovers({ messages, calls, unexported, left }: Evidence): InvariantResult {
  const check = new InvariantCheck('I10', 'nothing left leased, reserved or unexported');
  check.expect(
    Number(left.reserved_usd) === 0,
    undefined,
    () => `${left.reserved_usd} is left reserved in budgets`,
  );
  check.expect(left.pauses === 0, undefined, () => `${left.pauses} pauses were left`);
  for (const { id, state, parked_for: parkedFor } of messages) {
    check.expect(parkedFor === null, id, () => `it was left parked for ${String(parkedFor)}`);
    check.expect(state !== 'leased' && state !== 'pending', id, () => `it was left ${state}`);
  }
  for (const { id, state, message_id: messageId } of calls) {
    check.expect(state !== 'reserved', messageId ?? undefined, () => `call ${id} was left reserved`);
  }
  check.expect(
    unexported.records === 0,
    undefined,
    () => `${unexported.records} records were left in the outbox`,
  );
  check.expect(
    unexported.batches === 0,
    undefined,
    () => `${unexported.batches} export batches were left open`,
  );
  return check.result;
}
