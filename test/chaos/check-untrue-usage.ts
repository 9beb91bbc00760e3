import { formatUsd, sumUsd, usd } from '../../src/kernel/money.ts';
import type { BillEntry } from '../../src/simulator/bill.ts';
import type { CallEvidence, Evidence } from './evidence.ts';
import { groupedBy, InvariantCheck, type InvariantResult } from './invariant-check.ts';

/*
 * How a whole answer is judged whose provider told untrue usage (decision 0034). `exact`: the ledger says what the bill
 * says, as the counts could be read, or the larger of two was the true one.
 */
const judgements: Readonly<
  Record<string, { readonly settlement: string; readonly isSuspect: boolean; readonly isExact: boolean }>
> = {
  usage_absurd: { settlement: 'estimated', isSuspect: true, isExact: false },
  usage_zero: { settlement: 'estimated', isSuspect: false, isExact: false },
  usage_negative: { settlement: 'estimated', isSuspect: false, isExact: false },
  usage_text: { settlement: 'reported', isSuspect: false, isExact: true },
  usage_fraction: { settlement: 'reported', isSuspect: false, isExact: true },
  usage_decreasing: { settlement: 'estimated', isSuspect: false, isExact: true },
};

/** How an answer fails that was read and found to be none. */
const codesOfUnusable: ReadonlySet<string> = new Set([
  'MILLRACE_MODEL_FAILED',
  'MILLRACE_MODEL_MALFORMED_ANSWER',
]);

/**
 * I12: usage that a request cannot have caused is not booked, and marks the call; what can be read is exact; nothing is
 * booked above what was reserved for it; calls with true usage are not suspected. The provider's own bill is the truth.
 */
export function checkUntrueUsage({ calls, usage, bill, failures }: Evidence): InvariantResult {
  const check = new InvariantCheck('I12', 'wrong usage is detected, marked and bounded');
  const billsOf = groupedBy(bill, ({ callId }) => callId);
  const suspectsOf = new Map(usage.map((record) => [record.call_id, record.suspect]));
  const runOf = ({
    message_id: id,
    fencing_token: fencingToken,
  }: {
    readonly message_id: string | null;
    readonly fencing_token: number | null;
  }): string => `${id}/${fencingToken}`;
  const refusedRuns = new Set(
    failures.filter(({ code }) => codesOfUnusable.has(code)).map((failure) => runOf(failure)),
  );
  const lastOfRun = new Map(
    calls
      .toSorted((left, right) => left.reserved_ms - right.reserved_ms)
      .map((call) => [runOf(call), call.id]),
  );
  for (const call of calls) {
    const { id, message_id: messageId, is_suspect: isSuspect } = call;
    const message = messageId ?? undefined;
    check.expect(
      suspectsOf.get(id) === Number(isSuspect),
      message,
      () =>
        `call ${id} is suspect ${String(suspectsOf.get(id))} times in ClickHouse, in the ledger ${String(isSuspect)}`,
    );
    checkBound(check, call);
    checkJudgement(check, call, billsOf.get(id) ?? []);
    const fault = billsOf.get(id)?.[0]?.fault ?? 'none';
    if (judgements[fault] === undefined) continue;
    const isRefused =
      call.outcome === 'error' || (lastOfRun.get(runOf(call)) === id && refusedRuns.has(runOf(call)));
    check.expect(
      call.outcome === 'ok' || !isRefused,
      message,
      () => `call ${id} was answered, and failed for what its provider told of usage (${fault})`,
    );
  }
  return check.result;
}

function checkBound(
  check: InvariantCheck,
  { id, message_id: messageId, settlement, cost_usd: cost, upper_bound_usd: bound }: CallEvidence,
): void {
  if (settlement !== 'estimated' || cost === null) return;
  check.expect(
    bound !== null && !usd(cost).greaterThan(usd(bound)),
    messageId ?? undefined,
    () => `call ${id} is estimated at ${cost}, more than its bound ${bound ?? '(none)'}`,
  );
}

function checkJudgement(check: InvariantCheck, call: CallEvidence, entries: readonly BillEntry[]): void {
  const { id, message_id: messageId, settlement, is_suspect: isSuspect, cost_usd: cost, outcome } = call;
  const message = messageId ?? undefined;
  const fault = entries.find((entry) => entry.fault !== null)?.fault ?? 'none';
  const judgement = judgements[fault];
  check.expect(
    !isSuspect || judgement?.isSuspect === true,
    message,
    () => `call ${id} is suspect, and its provider told the truth (${fault})`,
  );
  // What was broken off on the way is no whole answer: I3 bounds it.
  if (judgement === undefined || outcome !== 'ok') return;
  check.expect(
    settlement === judgement.settlement && isSuspect === judgement.isSuspect,
    message,
    () =>
      `call ${id} (${fault}) is ${String(settlement)}${isSuspect ? ', suspect' : ''} instead of ${judgement.settlement}${judgement.isSuspect ? ', suspect' : ''}`,
  );
  if (!judgement.isExact) return;
  const billed = sumUsd(entries.map((entry) => usd(entry.costUsd)));
  check.expect(
    cost !== null && usd(cost).equals(billed),
    message,
    () => `call ${id} (${fault}) costs ${String(cost)} in the ledger and ${formatUsd(billed)} on the bill`,
  );
}
