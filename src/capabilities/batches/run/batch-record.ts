import { derivedId } from '../../../kernel/ids.ts';
import type { OperationRecord } from '../../../engine/ledger/operation-record.ts';
import type { Batch } from '../batch.ts';

/** What the audit says of what a batch does by itself. */
export function batchRecord({ id, origin }: Batch, reason: string): Omit<OperationRecord, 'id'> {
  return {
    actor: `batch:${origin.batch}`,
    reason,
    target: `batch ${origin.batch}`,
    detail: { batch: id, team: origin.team },
  };
}

/** The record of all messages that are cancelled with a batch, however many processes and slices do it. */
export function cancelRecord(batch: Batch): OperationRecord {
  const why =
    batch.cause?.code === 'deadline' ? 'the deadline of the batch is over' : 'the batch was cancelled';
  const since = batch.startedAt ?? batch.createdAt;
  return {
    ...batchRecord(batch, why),
    id: derivedId(since, 'batch-cancel', batch.id, String(since.getTime())),
  };
}
