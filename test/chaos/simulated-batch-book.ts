import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BillEntry } from '../../src/simulator/bill.ts';
import type { BatchStoreEvidence, SimulatedBatchRow } from './batch-evidence.ts';
import type { CallEvidence, StoreEvidence } from './evidence.ts';

/* What the simulated providers know of their batches, and whose requests were in them. */

/** Every batch that a provider has accepted, those that were removed since among them. */
export function readSimulatedBatches(directory: string): readonly SimulatedBatchRow[] {
  const lines = readFileSync(join(directory, 'batches.jsonl'), 'utf8').split('\n');
  return lines
    .filter((line) => line !== '')
    .flatMap((line) => {
      const { batch } = JSON.parse(line) as { batch?: SimulatedBatchRow };
      return batch === undefined ? [] : [{ id: batch.id, requests: batch.requests }];
    });
}

/** The bill with the call, message and step of what came in a batch: its name there is the batch's and its place. */
export function attributedBill(
  bill: readonly BillEntry[],
  { providerRequests }: Pick<BatchStoreEvidence, 'providerRequests'>,
  calls: readonly Pick<CallEvidence, 'id' | 'message_id' | 'step'>[],
): readonly BillEntry[] {
  const callIds = new Map(
    providerRequests.map(({ batch_id: id, place, request_id: callId }) => [
      `${id.replaceAll('-', '')}-${place}`,
      callId,
    ]),
  );
  const byId = new Map(calls.map((call) => [call.id, call]));
  return bill.map((entry) => {
    const call = byId.get(callIds.get(entry.batch?.customId ?? '') ?? '');
    return call === undefined
      ? entry
      : { ...entry, callId: call.id, messageId: call.message_id, step: call.step };
  });
}

/** The items to whose first question the provider has given an answer with U+0000 in it. */
export function oddItems(
  { messages }: Pick<StoreEvidence, 'messages'>,
  bill: readonly BillEntry[],
): ReadonlySet<string> {
  const itemOf = new Map(messages.map(({ id, event_id: item }) => [id, item]));
  const odd = bill.filter(({ fault, step }) => fault === 'nul_text' && step === 'sort');
  return new Set(odd.flatMap(({ messageId }) => itemOf.get(messageId ?? '') ?? []));
}
