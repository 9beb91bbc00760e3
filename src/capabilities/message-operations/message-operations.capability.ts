import { CancelWatcher } from '../../engine/pipeline/cancel-watcher.ts';
import type { Capability } from '../capability.ts';
import { MessageAccounts } from './message-accounts.ts';
import { MessageOffice } from './message-office.ts';
import { MessageOperations } from './message-operations.ts';
import { MessageSearch } from './message-search.ts';
import { MessageWaiter } from './message-waiter.ts';

const watchIntervalMs = 250;

/** Messages, seen and steered: searched, shown with their cost, waited for, cancelled, made due. */
export const messageOperations: Capability<unknown> = {
  name: 'message-operations',
  http: async () => (await import('./message-operations.http.ts')).httpPart,
  open: ({ database, metrics, clock, engine: { bodies, publisher, leases, ends } }) => {
    const search = new MessageSearch(database);
    const operations = new MessageOperations(database);
    const watcher = new CancelWatcher({ operations, leases });
    return {
      services: [
        [MessageOffice, new MessageOffice({ search, operations, bodies, publisher, metrics, clock })],
        [MessageWaiter, new MessageWaiter({ search, ends, clock })],
        [MessageAccounts, new MessageAccounts(database)],
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
  },
};
