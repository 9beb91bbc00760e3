import { CancelWatcher } from '../../engine/pipeline/cancel-watcher.ts';
import type { Capability } from '../capability.ts';
import { messageAccountSchema, MessageAccounts } from './message-accounts.ts';
import {
  messageDataSchema,
  messageListSchema,
  messageTreeSchema,
  steeredSchema,
} from './message-documents.ts';
import { MessageOffice } from './message-office.ts';
import { MessageOperations } from './message-operations.ts';
import { MessageOperationsController } from './message-operations.controller.ts';
import { steerRequestSchema } from './message-requests.ts';
import { MessageSearch } from './message-search.ts';
import { MessageWaiter } from './message-waiter.ts';

const watchIntervalMs = 250;

/** Messages, seen and steered: searched, shown with their cost, waited for, cancelled, made due. */
export const messageOperations: Capability<unknown> = {
  name: 'message-operations',
  http: {
    controllers: [MessageOperationsController],
    services: [MessageOffice, MessageAccounts],
    answers: {
      MessageAccount: messageAccountSchema,
      MessageList: messageListSchema,
      MessageTree: messageTreeSchema,
      MessageData: messageDataSchema,
      SteeredMessages: steeredSchema,
    },
    requests: { SteerRequest: steerRequestSchema },
  },
  open: ({ database, metrics, clock, engine: { bodies, publisher, leases, ends } }) => {
    const search = new MessageSearch(database);
    const operations = new MessageOperations(database);
    const watcher = new CancelWatcher({ operations, leases });
    return {
      services: [
        [MessageOffice, new MessageOffice({ search, operations, bodies, publisher, metrics, clock })],
        [MessageWaiter, new MessageWaiter({ search, ends })],
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
