import { MessageCancellations } from '../../engine/ledger/message-cancellations.ts';
import { CancelWatcher } from '../../engine/pipeline/cancel-watcher.ts';
import { MessageCanceller } from '../../engine/pipeline/message-canceller.ts';
import type { CapabilityContext, CapabilityParts, NameOf } from '../capability.ts';
import { MessageCosts } from './message-costs.ts';
import { MessageService } from './message-service.ts';
import { MessageOperations } from './message-operations.ts';
import { MessageSearch } from './message-search.ts';
import { MessageWaiter } from './message-waiter.ts';
import type { messageOperationNames } from './message-operation-names.ts';

const watchIntervalMs = 250;

/** Composes what is done about messages. */
export function openMessageOperations({
  database,
  metrics,
  clock,
  engine: { bodies, publisher, leases, ends },
}: CapabilityContext<unknown>): CapabilityParts<NameOf<typeof messageOperationNames, 'jobs'>> {
  const search = new MessageSearch(database);
  const operations = new MessageOperations(database);
  const canceller = new MessageCanceller({
    ledger: new MessageCancellations(database),
    publisher,
    metrics,
    clock,
  });
  const watcher = new CancelWatcher({ operations, leases });
  return {
    services: [
      [MessageService, new MessageService({ search, operations, canceller, bodies, publisher, clock })],
      [MessageWaiter, new MessageWaiter({ search, ends, clock })],
      [MessageCosts, new MessageCosts(database)],
    ],
    jobs: [
      {
        name: 'watch_cancels',
        intervalMs: watchIntervalMs,
        runsIn: 'every_process',
        turn: () => watcher.look(),
      },
    ],
  };
}
