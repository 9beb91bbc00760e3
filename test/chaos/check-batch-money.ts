import { formatUsd, sumUsd, type Usd, usd, zeroUsd } from '../../src/kernel/money.ts';
import type { BillEntry } from '../../src/simulator/bill.ts';
import type { BatchAccount } from './batch-answers.ts';
import { type BatchEvidenceViews, type BatchView, checkedBatches } from './batch-views.ts';
import type { CallEvidence, Evidence } from './evidence.ts';
import type { InvariantCheck, InvariantResult } from './invariant-check.ts';

/**
 * I17: what a batch's calls cost is what the provider billed for them, at its rate for batches where they were in one; and what was
 * billed beyond an undisturbed run is, call by call, marked as waste or of unknown outcome.
 */
export function checkBatchCosts(evidence: Evidence): InvariantResult {
  const about = { name: 'I17', says: 'a batch costs what was billed, and what is beyond is marked' };
  return checkedBatches(evidence, about, (check, views) => {
    const recordOf = new Map(evidence.usage.map((record) => [record.call_id, record]));
    for (const batch of views.batches) {
      const calls = callsOf(batch);
      const known = calls.filter(({ settlement }) => settlement === 'reported');
      const recorded = sumUsd(known.map(({ id }) => usd(recordOf.get(id)?.cost_usd ?? '0')));
      const billed = sumUsd(known.flatMap(({ id }) => billedOf(views, id)));
      check.expect(
        recorded.equals(billed),
        undefined,
        () =>
          `the records of batch ${batch.planned.name} say ${formatUsd(recorded)}, the bill ${formatUsd(billed)}`,
      );
      checkRates(check, views, batch);
      checkExcess(check, views, batch);
    }
  });
}

function callsOf({ items }: BatchView): readonly CallEvidence[] {
  return items.flatMap(({ calls }) => calls);
}

function billedOf({ billsOf }: BatchEvidenceViews, callId: string): readonly Usd[] {
  return (billsOf.get(callId) ?? []).map(({ costUsd }) => usd(costUsd));
}

/** Half of what the same question costs by itself, where it was in a batch. */
function checkRates(check: InvariantCheck, views: BatchEvidenceViews, { items }: BatchView): void {
  for (const { calls, expected } of items) {
    const answers = expected === undefined ? [] : [expected.sort, ...expected.replies];
    const priceOf = new Map(answers.map(({ requestHash, costUsd }) => [requestHash, usd(costUsd)]));
    for (const { id, message_id: messageId, request_kind: kind } of calls) {
      for (const entry of views.billsOf.get(id) ?? []) {
        const isInBatch = entry.batch !== undefined;
        check.expect(
          isInBatch === (kind === 'batch'),
          messageId ?? undefined,
          () =>
            `call ${id} is ${kind} in the ledger, and was billed ${isInBatch ? 'in a batch' : 'by itself'}`,
        );
        const price = priceOf.get(entry.requestHash);
        // Of an answer that was cut or left empty on purpose the price is another.
        if (price === undefined || entry.fault !== null) continue;
        const due = isInBatch ? price.dividedBy(2) : price;
        check.expect(
          usd(entry.costUsd).equals(due),
          messageId ?? undefined,
          () => `call ${id} was billed ${entry.costUsd}, and its question costs ${formatUsd(due)}`,
        );
      }
    }
  }
}

/** What is billed is of an answer that was used, or of a call that says that it bought nothing, or that nobody knows. */
function checkExcess(check: InvariantCheck, views: BatchEvidenceViews, { items, planned }: BatchView): void {
  const beyond: BillEntry[] = [];
  const marked: CallEvidence[] = [];
  for (const { calls, used, isTouched } of items) {
    const usedIds = new Set(used.map(({ id }) => id));
    for (const call of calls) {
      const { id, message_id: messageId, state, waste_reason: reason } = call;
      const isMarked = state === 'unsettled' || reason !== null;
      if (!usedIds.has(id)) beyond.push(...(views.billsOf.get(id) ?? []));
      if (isMarked) marked.push(call);
      // An answer that an operator had made again is used by what he let live again.
      if (isTouched) continue;
      const isBilled = billedOf(views, id).length > 0;
      check.expect(
        usedIds.has(id) || isMarked || !isBilled,
        messageId ?? undefined,
        () => `call ${id} was paid for and not used, and is not marked (${state}, ${String(call.outcome)})`,
      );
      check.expect(
        !usedIds.has(id) || !isMarked,
        messageId ?? undefined,
        () => `call ${id} was used, and is marked as ${reason ?? state}`,
      );
    }
  }
  const excess = sumUsd(beyond.map(({ costUsd }) => usd(costUsd)));
  const covered = sumUsd(
    marked.map((call) =>
      usd(
        call.settlement === 'reported'
          ? (call.cost_usd ?? '0')
          : (call.upper_bound_usd ?? call.cost_usd ?? '0'),
      ),
    ),
  );
  check.expect(
    items.some(({ isTouched }) => isTouched) || !excess.greaterThan(covered),
    undefined,
    () =>
      `batch ${planned.name} was billed ${formatUsd(excess)} beyond what it used, and ${formatUsd(covered)} of it is marked`,
  );
}

/** I18: what the API and the report say of a batch is what its rows and calls come to. */
export function checkBatchReports(evidence: Evidence): InvariantResult {
  const about = { name: 'I18', says: "a batch's report and sums are those of its items and calls" };
  return checkedBatches(evidence, about, (check, { batches }) => {
    for (const batch of batches) {
      const { reading, planned } = batch;
      check.expect(reading !== undefined, undefined, () => `batch ${planned.name} was not shown`);
      if (reading !== undefined) compareAccount(check, batch, reading.account);
    }
  });
}

function compareAccount(check: InvariantCheck, batch: BatchView, account: BatchAccount): void {
  const { row, items, planned } = batch;
  const { report } = account;
  const calls = callsOf(batch);
  const same = (what: string, said: unknown, due: unknown): void =>
    check.expect(
      said === due,
      undefined,
      () => `batch ${planned.name}: ${what} is said to be ${String(said)}, and is ${String(due)}`,
    );
  const count = (is: (call: CallEvidence) => boolean): number => calls.filter(is).length;
  same('its state', account.state, row?.state);
  for (const end of ['succeeded', 'failed', 'expired', 'cancelled', 'skipped'] as const) {
    const counted = items.filter((item) => item.row?.state === end).length;
    same(`the items that ${end}`, account.items[end], counted);
    same(`in its report, the items that ${end}`, report.items[end], counted);
  }
  same('its items', account.items.total, planned.items.length);
  same('its open items', account.items.open, 0);
  const ofItems = sumUsd(items.map((item) => costOf(item.row?.cost_usd ?? null)));
  same('its cost', account.costUsd, formatUsd(ofItems));
  for (const { row: item, used, isTouched } of items) {
    if (item === undefined || isTouched || item.state === 'skipped') continue;
    const due = formatUsd(sumUsd(used.map((call) => costOf(call.cost_usd))));
    check.expect(
      formatUsd(costOf(item.cost_usd)) === due,
      item.message_id,
      () => `item ${item.item_id} costs ${String(item.cost_usd)}, and the answers that it used ${due}`,
    );
  }
  same('its report', report.isFinal && report.isComplete, true);
  same('its total', report.totalUsd, formatUsd(sumUsd(calls.map((call) => costOf(call.cost_usd)))));
  const wasted = calls.filter(({ waste_reason: reason }) => reason !== null);
  same('its waste', report.wasteUsd, formatUsd(sumUsd(wasted.map((call) => costOf(call.cost_usd)))));
  same('its calls', report.calls, calls.length);
  same(
    'its calls of unknown outcome',
    report.unsettledCalls,
    count(({ state }) => state === 'unsettled'),
  );
  same(
    'its estimated calls',
    report.estimatedCalls,
    count(({ settlement }) => settlement === 'estimated'),
  );
  same('its open calls', report.openCalls, 0);
  const openBounds = calls.filter(({ cost_usd: cost }) => cost === null);
  same(
    'what its open calls can have cost',
    report.openUpperBoundUsd,
    formatUsd(sumUsd(openBounds.map((call) => costOf(call.upper_bound_usd)))),
  );
}

function costOf(amount: string | null): Usd {
  return amount === null ? zeroUsd : usd(amount);
}
