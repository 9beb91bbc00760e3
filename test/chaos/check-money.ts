import { formatUsd, sumUsd, type Usd, usd, zeroUsd } from '../../src/kernel/money.ts';
import type { BillEntry } from '../../src/simulator/bill.ts';
import type { CallEvidence, Evidence, HistoryEvidence, UsageEvidence } from './evidence.ts';
import { groupedBy, InvariantCheck, type InvariantResult } from './invariant-check.ts';

/** Sums of the three accounts, for people. */
export interface MoneySums {
  readonly ledgerUsd: Usd;
  readonly columnsUsd: Usd;
  readonly billedUsd: Usd;
  /** Bill less ledger: all of it lies in calls that are marked as open. */
  readonly differenceUsd: Usd;
  readonly unsettledCalls: number;
  readonly estimatedCalls: number;
}

/**
 * I3: call by call, ledger and ClickHouse say the same, and the bill says what the ledger says; where it does not, the
 * call is marked as unsettled or estimated and its upper bound covers the bill.
 */
export function checkMoney({ calls, usage, bill, rollups }: Evidence): InvariantResult {
  const check = new InvariantCheck('I3', "ledger = ClickHouse = the provider's bill");
  const usageOf = new Map(usage.map((record) => [record.call_id, record]));
  const billsOf = groupedBy(bill, (entry) => entry.callId ?? 'nobody');
  for (const call of calls) {
    compareWithColumns(check, call, usageOf.get(call.id));
    compareWithBill(check, call, billsOf.get(call.id) ?? []);
  }
  const known = new Set(calls.map(({ id }) => id));
  for (const { call_id: id, message_id: messageId } of usage) {
    check.expect(known.has(id), messageId, () => `ClickHouse has call ${id}, the ledger has not`);
  }
  for (const { callId, n, messageId } of bill) {
    check.expect(
      callId !== null && known.has(callId),
      messageId ?? undefined,
      () => `entry ${n} of the bill is for call ${String(callId)}, which the ledger has not`,
    );
  }
  const recorded = {
    calls: usage.reduce((sum, record) => sum + record.calls, 0),
    costUsd: columnsUsdOf(usage),
  };
  for (const { table, calls: count, cost_usd: cost } of rollups) {
    const isSame = count === recorded.calls && usd(cost).equals(recorded.costUsd);
    check.expect(
      isSame,
      undefined,
      () =>
        `${table} says ${count} calls for ${cost}, the records ${recorded.calls} for ${formatUsd(recorded.costUsd)}`,
    );
  }
  return check.result;
}

function compareWithColumns(
  check: InvariantCheck,
  call: CallEvidence,
  record: UsageEvidence | undefined,
): void {
  const { id, message_id: messageId, state, settlement } = call;
  const about = (what: string) => (): string => `call ${id} (${state}, ${settlement ?? 'open'}): ${what}`;
  const message = messageId ?? undefined;
  check.expect(record !== undefined, message, about('ClickHouse has no record of it'));
  if (record === undefined) return;
  check.expect(
    record.records === record.distinct_records,
    message,
    about(`${record.records} records, of which ${record.distinct_records} are distinct`),
  );
  check.expect(record.calls === 1, message, about(`ClickHouse counts it ${record.calls} times`));
  const cost = call.cost_usd ?? '0';
  check.expect(
    usd(record.cost_usd).equals(usd(cost)),
    message,
    about(`ClickHouse says ${record.cost_usd}, the ledger ${cost}`),
  );
  const bound = call.upper_bound_usd ?? '0';
  check.expect(
    usd(record.upper_bound_usd).equals(usd(bound)),
    message,
    about(`ClickHouse bounds it by ${record.upper_bound_usd}, the ledger by ${bound}`),
  );
  const marks = [Number(state === 'unsettled'), Number(settlement === 'estimated'), 0].join('/');
  const recordedMarks = [record.unsettled, record.estimated, record.unpriced].join('/');
  check.expect(
    marks === recordedMarks,
    message,
    about(`unsettled/estimated/unpriced ${recordedMarks} in ClickHouse, ${marks} in the ledger`),
  );
}

function compareWithBill(check: InvariantCheck, call: CallEvidence, entries: readonly BillEntry[]): void {
  const { id, message_id: messageId, settlement, cost_usd: cost, upper_bound_usd: bound } = call;
  const billed = sumUsd(entries.map((entry) => usd(entry.costUsd)));
  const message = messageId ?? undefined;
  check.expect(entries.length <= 1, message, () => `call ${id} was billed ${entries.length} times`);
  if (settlement === 'unsettled' || settlement === 'estimated') {
    const isCovered = bound !== null && !billed.greaterThan(usd(bound));
    check.expect(
      isCovered,
      message,
      () =>
        `call ${id} is ${settlement}: the bill's ${formatUsd(billed)} is not covered by ${bound ?? 'a bound'}`,
    );
    return;
  }
  const isSame = cost !== null && usd(cost).equals(billed);
  check.expect(
    isSame,
    message,
    () =>
      `call ${id} (${settlement ?? 'open'}) costs ${cost ?? 'nothing'} in the ledger and ${formatUsd(billed)} on the bill`,
  );
}

export function sumsOf({ calls, usage, bill }: Evidence): MoneySums {
  const ledgerUsd = sumUsd(calls.map((call) => (call.cost_usd === null ? zeroUsd : usd(call.cost_usd))));
  const billedUsd = sumUsd(bill.map((entry) => usd(entry.costUsd)));
  return {
    ledgerUsd,
    columnsUsd: columnsUsdOf(usage),
    billedUsd,
    differenceUsd: billedUsd.minus(ledgerUsd),
    unsettledCalls: calls.filter(({ state }) => state === 'unsettled').length,
    estimatedCalls: calls.filter(({ settlement }) => settlement === 'estimated').length,
  };
}

function columnsUsdOf(usage: readonly UsageEvidence[]): Usd {
  return sumUsd(usage.map((record) => usd(record.cost_usd)));
}

/**
 * I4: a request whose answer was recorded when a run began, or earlier in the same run, is not made again by that run.
 * What two runs ask while a stopped one still holds its unrecorded answer is no repetition: nobody could know.
 */
export function checkReuse({ calls, bill, history }: Evidence): InvariantResult {
  const check = new InvariantCheck('I4', 'no step with a recorded answer was requested again');
  const callsById = new Map(calls.map((call) => [call.id, call]));
  const leases = leaseTimes(history);
  const asked = groupedBy(bill, ({ messageId, step, requestHash }) =>
    messageId === null ? null : `${messageId} ${step} ${requestHash}`,
  );
  for (const entries of asked.values()) {
    const made = entries.flatMap(({ callId }) => callsById.get(callId ?? '') ?? []);
    for (const call of made) {
      // From when on the maker of this call could have known.
      const begunMs = leases.get(`${call.message_id}/${call.fencing_token}`) ?? call.reserved_ms;
      const before = made.find(
        (other) =>
          other !== call && isRecorded(other) && (other.settled_ms ?? 0) < knownBy(other, call, begunMs),
      );
      check.expect(
        before === undefined,
        call.message_id ?? undefined,
        () => `call ${call.id} (${call.step}) asked again what call ${before?.id} had recorded an answer to`,
      );
    }
  }
  return check.result;
}

function isRecorded({ state, outcome, has_answer: hasAnswer }: CallEvidence): boolean {
  return state === 'settled' && outcome === 'ok' && hasAnswer;
}

function knownBy(other: CallEvidence, call: CallEvidence, begunMs: number): number {
  return other.fencing_token === call.fencing_token ? call.reserved_ms : begunMs;
}

/** When each lease was given, by "message/fencing token". */
export function leaseTimes(history: readonly HistoryEvidence[]): ReadonlyMap<string, number> {
  const given = history.filter(
    ({ to_state: to, from_fencing_token: from, to_fencing_token: fencingToken }) =>
      to === 'leased' && from !== fencingToken,
  );
  return new Map(
    given.map((change) => [
      `${change.message_id}/${change.to_fencing_token}`,
      change.leased_ms ?? change.at_ms,
    ]),
  );
}
