import { leaseTimes } from './check-money.ts';
import type { Evidence, HistoryEvidence, MessageEvidence } from './evidence.ts';
import { groupedBy, InvariantCheck, type InvariantResult } from './invariant-check.ts';

/** A reservation reads the lease and the clock one after the other; a loaded server may pause between. */
const toleranceMs = 250;

/**
 * I5: only who holds the current fencing token changes a message. By the record of its end, which tells how often the one who
 * ended it knew it to have been leased; by the connection that made each change; and by the fencing tokens of its calls.
 */
export function checkFencingTokens(evidence: Evidence): InvariantResult {
  const { messages, history, outcomes, replays, calls, hasClients } = evidence;
  const check = new InvariantCheck('I5', 'only the current fencing token finished');
  const byId = new Map(messages.map((message) => [message.id, message]));
  const replaysOf = groupedBy(replays, (replay) => replay.message_id);
  for (const [id, told] of groupedBy(outcomes, (outcome) => outcome.message_id)) {
    const enders = told.map(({ deliveries }) => deliveries).toSorted(byNumber);
    // The last of each of its lives.
    const replayed = (replaysOf.get(id) ?? []).map(({ fencing_token: fencingToken }) => fencingToken);
    const fencingTokens = [...replayed, lastLeaseOf(byId.get(id))].toSorted(byNumber);
    check.expect(
      enders.join() === fencingTokens.join(),
      id,
      () =>
        `it was ended by the holders of fencing tokens [${enders.join()}]; the last leases had [${fencingTokens.join()}]`,
    );
  }
  for (const change of history) {
    if (change.to_state === 'leased') checkLease(check, change, hasClients);
    else if (change.from_state === 'leased' && hasClients) {
      // Anybody may take back what its holder let run out, and an operator ends what is not wanted any more.
      const hasRunOut = change.held_until_ms !== null && change.held_until_ms <= change.at_ms;
      check.expect(
        change.client === `millrace ${change.held_by}` ||
          change.to_state === 'cancelled' ||
          (change.to_state === 'pending' && hasRunOut),
        change.message_id,
        () => `${change.held_by} held it, but ${change.client} made it ${change.to_state}`,
      );
    }
  }
  const leases = leaseTimes(history);
  for (const call of calls) {
    const since = leases.get(`${call.message_id}/${call.fencing_token}`);
    const next =
      leases.get(`${call.message_id}/${(call.fencing_token ?? 0) + 1}`) ?? Number.POSITIVE_INFINITY;
    const isInTime =
      since !== undefined && call.reserved_ms >= since - toleranceMs && call.reserved_ms < next + toleranceMs;
    check.expect(
      isInTime,
      call.message_id ?? undefined,
      () =>
        `call ${call.id} was reserved under fencing token ${String(call.fencing_token)} when that did not hold`,
    );
  }
  checkCuts(check, evidence, leases);
  return check.result;
}

/** A worker that cannot reach the database breaks its requests off before anybody else is given the message. */
function checkCuts(
  check: InvariantCheck,
  { cuts, requests, calls }: Evidence,
  leases: ReadonlyMap<string, number>,
): void {
  const byId = new Map(calls.map((call) => [call.id, call]));
  for (const { worker, callId, endedMs = Number.POSITIVE_INFINITY } of requests) {
    const call = byId.get(callId);
    const nextMs = leases.get(`${call?.message_id}/${(call?.fencing_token ?? 0) + 1}`);
    if (call === undefined || nextMs === undefined) continue;
    const isCutOff = cuts.some((cut) => cut.worker === worker && nextMs >= cut.fromMs && nextMs <= cut.toMs);
    if (!isCutOff) continue;
    check.expect(
      endedMs <= nextMs,
      call.message_id ?? undefined,
      () => `call ${callId} of a worker that was cut off was in the air when another took its message`,
    );
  }
}

/** What is cancelled is given a token that nobody holds, so that nobody finishes it. */
function lastLeaseOf(message: MessageEvidence | undefined): number {
  const { state, fencing_token: fencingToken = 0 } = message ?? {};
  return state === 'cancelled' ? fencingToken - 1 : fencingToken;
}

function byNumber(left: number, right: number): number {
  return left - right;
}

/** A lease raises the fencing token by one, and is given for what nobody holds; to whom it is written as leased, by that process itself. */
function checkLease(check: InvariantCheck, change: HistoryEvidence, hasClients: boolean): void {
  const { message_id: id, from_state: from, from_fencing_token: before, to_fencing_token: after } = change;
  check.expect(
    after === (before ?? 0) + 1,
    id,
    () => `a lease made fencing token ${after} of ${String(before)}`,
  );
  if (from === null) {
    check.expect(
      change.taken_by !== null && (!hasClients || change.client === `millrace ${change.taken_by}`),
      id,
      () => `${change.client} wrote it as leased by ${change.taken_by}`,
    );
    return;
  }
  check.expect(
    from === 'pending',
    id,
    () => `it was leased by ${change.taken_by} while ${change.held_by} held it`,
  );
}
