import type { Origin } from '../../src/messages/origin.ts';
import { itemOfEvent, originOfItem, plannedBatches } from './batch-workload.ts';
import type { Evidence } from './evidence.ts';
import type { OddData } from './odd-input.ts';
import { admittedAt, indexOfEvent } from './workload.ts';

/** What was sent under the id of an event: by itself, or as an item of a batch. */
export interface AdmittedEvent {
  readonly eventId: string;
  readonly origin: Origin;
  readonly odd: OddData | undefined;
  readonly isOfBatch: boolean;
}

/** What a run has sent, by the id of its event; undefined for what it has not. */
export function admittedEvents({
  seed,
  batchRun,
  sent,
}: Pick<Evidence, 'seed' | 'batchRun' | 'sent'>): (eventId: string) => AdmittedEvent | undefined {
  const batches = batchRun === undefined ? [] : plannedBatches(seed, batchRun.messages);
  return (eventId) => {
    const found = itemOfEvent(batches, eventId);
    if (found !== undefined) {
      return { eventId, origin: originOfItem(found.batch, found.item), odd: undefined, isOfBatch: true };
    }
    const index = indexOfEvent(eventId);
    if (!sent.has(index)) return undefined;
    const { eventId: planned, origin, data } = admittedAt(seed, index);
    return planned === eventId ? { eventId, origin, odd: data.odd, isOfBatch: false } : undefined;
  };
}
