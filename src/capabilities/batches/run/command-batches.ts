import type { Installation, LedgerAccess } from '../../../terminal/installation.ts';
import { BatchOperations } from './batch-operations.ts';
import { BatchService } from './batch-service.ts';
import { BatchStore } from './batch-store.ts';

/**
 * Batches in an operator's command, beside a running host too: what is changed here, the maintenance role of a host does. Throws what
 * opening the ledger throws.
 */
export async function withBatchService<Result>(
  { withLedger }: Pick<Installation<unknown>, 'withLedger'>,
  work: (service: BatchService, access: LedgerAccess) => Promise<Result>,
): Promise<Result> {
  return withLedger((access) => {
    const { database, clock } = access;
    const service = new BatchService({
      store: new BatchStore(database),
      operations: new BatchOperations(database, clock),
      clock,
    });
    return work(service, access);
  });
}
