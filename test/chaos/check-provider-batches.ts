import { checkedBatches } from './batch-views.ts';
import type { CallEvidence, Evidence } from './evidence.ts';
import { groupedBy, type InvariantCheck, type InvariantResult } from './invariant-check.ts';

/**
 * I16: a provider's batch was submitted once, by the provider's own list; every request in it has one outcome, which the bill bears out;
 * and no question stood in two of them at a time.
 */
export function checkProviderBatches(evidence: Evidence): InvariantResult {
  const about = { name: 'I16', says: "providers' batches are sent once, and their results are complete" };
  return checkedBatches(evidence, about, (check, { run, batches }) => {
    checkSubmissions(check, evidence, run.simulated);
    checkOutcomes(check, evidence);
    for (const { planned, items } of batches) {
      for (const { calls, row } of items) {
        checkPlaces(check, calls);
        check.expect(
          planned.mode === 'provider' || calls.every(({ request_kind: kind }) => kind !== 'batch'),
          row?.message_id,
          () => `item ${row?.item_id} of a batch that is online has calls in a provider's batch`,
        );
      }
    }
  });
}

function checkSubmissions(
  check: InvariantCheck,
  { batches: { providerBatches, putOff } }: Evidence,
  simulated: readonly { readonly id: string; readonly requests: number }[],
): void {
  const ownersOf = groupedBy(providerBatches, ({ provider_id: id }) => id);
  for (const { id, requests } of simulated) {
    const owners = ownersOf.get(id) ?? [];
    check.expect(
      owners.length === 1 && owners[0]?.requests === requests,
      undefined,
      () =>
        `the provider has a batch ${id} of ${requests} requests, which ${owners.length} of the ledger's are (${owners.map((owner) => owner.requests).join(', ')} requests)`,
    );
  }
  const known = new Set(simulated.map(({ id }) => id));
  for (const { id, provider_id: providerId, state } of providerBatches) {
    check.expect(state === 'closed', undefined, () => `provider batch ${id} was left ${state}`);
    check.expect(
      providerId === null || known.has(providerId),
      undefined,
      () => `provider batch ${id} is ${String(providerId)}, which the provider does not know`,
    );
  }
  check.expect(putOff === 0, undefined, () => `${putOff} calls were left put off`);
}

function checkOutcomes(check: InvariantCheck, { batches, calls, bill }: Evidence): void {
  const callOf = new Map(calls.map((call) => [call.id, call]));
  const billed = new Set(bill.flatMap(({ batch, callId }) => (batch === undefined ? [] : (callId ?? []))));
  const requestsOf = groupedBy(batches.providerRequests, ({ batch_id: id }) => id);
  for (const { id, requests } of batches.providerBatches) {
    const found = requestsOf.get(id)?.length ?? 0;
    check.expect(
      found === requests,
      undefined,
      () => `provider batch ${id} has ${found} of ${requests} requests`,
    );
  }
  for (const { batch_id: batchId, request_id: callId, outcome } of batches.providerRequests) {
    const call = callOf.get(callId);
    const message = call?.message_id ?? undefined;
    check.expect(
      call?.request_kind === 'batch',
      message,
      () => `request ${callId} of provider batch ${batchId} is no call that was put off`,
    );
    check.expect(
      outcome !== null,
      message,
      () => `request ${callId} of provider batch ${batchId} has no outcome`,
    );
    // What is missing may have been carried out.
    if (outcome === null || outcome === 'missing') continue;
    check.expect(
      billed.has(callId) === (outcome === 'succeeded'),
      message,
      () => `request ${callId} is ${outcome}, and was ${billed.has(callId) ? '' : 'not '}billed`,
    );
  }
}

/** The same place of a message is asked again only when nothing of it is under way any more. */
function checkPlaces(check: InvariantCheck, calls: readonly CallEvidence[]): void {
  const batched = calls.filter(({ request_kind: kind }) => kind === 'batch');
  const places = groupedBy(batched, ({ message_id: id, step, ordinal }) => `${id}/${step}/${ordinal}`);
  for (const made of places.values()) {
    const inOrder = made.toSorted((left, right) => left.reserved_ms - right.reserved_ms);
    for (const [at, call] of inOrder.entries()) {
      const before = inOrder[at - 1];
      if (before === undefined) continue;
      check.expect(
        call.reserved_ms >= (before.settled_ms ?? Number.POSITIVE_INFINITY),
        call.message_id ?? undefined,
        () => `call ${call.id} was put off while call ${before.id} asked the same`,
      );
    }
  }
}
