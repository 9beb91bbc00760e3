import { MessageCosts } from './message-costs.ts';
import { MessageOperations } from './message-operations.ts';
import { MessageSearch } from './message-search.ts';
import { MessageTail } from './message-tail.ts';
import { MessageService } from './message-service.ts';
import { MessageWaiter } from './message-waiter.ts';
import { type MessageBodyLimits, MessageBodies } from '../../engine/pipeline/message-bodies.ts';
import { MessageCancellations } from '../../engine/ledger/message-cancellations.ts';
import { MessageCanceller } from '../../engine/pipeline/message-canceller.ts';
import { Publisher } from '../../engine/pipeline/publisher.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { bareEngineCatalogue } from '../../engine/metrics/engine-metrics.ts';
import { createMetrics } from '../../telemetry/metrics.ts';
import type { Installation } from '../../terminal/installation.ts';

/** What it reads of the configuration. */
export interface MessageSettings {
  readonly messages: MessageBodyLimits;
}

export interface MessageCommandOptions {
  /** Logs that the queue cannot be notified. */
  readonly logger: Logger;
  /** Whether the work may make messages due, so that stages have to be notified. */
  readonly notifies: boolean;
}

/** What an operator's command does about messages with. */
export interface OperatorMessages {
  readonly service: MessageService;
  readonly accounts: MessageCosts;
  readonly waiter: MessageWaiter;
  readonly tail: MessageTail;
  readonly search: MessageSearch;
  /** Whether no host can work on messages while the command runs. */
  readonly isAlone: boolean;
}

/** Messages in an operator's command, beside a running host too. Throws what opening the ledger throws. */
export async function withOperatorMessages<Result>(
  { settings, withLedger }: Installation<MessageSettings>,
  { logger, notifies }: MessageCommandOptions,
  work: (messages: OperatorMessages) => Promise<Result>,
): Promise<Result> {
  return withLedger(async ({ database, clock, ...access }) => {
    const payloads = await access.openPayloads();
    const queues = notifies ? await access.notifications() : undefined;
    try {
      // Nobody scrapes a command: what it did stands in the audit.
      const metrics = createMetrics(bareEngineCatalogue);
      const publisher = queues === undefined ? undefined : new Publisher({ queues, clock, logger, metrics });
      const search = new MessageSearch(database);
      const notifying = publisher === undefined ? {} : { publisher };
      const result = await work({
        service: new MessageService({
          search,
          operations: new MessageOperations(database),
          bodies: new MessageBodies(payloads, settings.messages),
          canceller: new MessageCanceller({
            ledger: new MessageCancellations(database),
            ...notifying,
            metrics,
            clock,
          }),
          ...notifying,
          clock,
        }),
        accounts: new MessageCosts(database),
        waiter: new MessageWaiter({ search, clock }),
        tail: new MessageTail(database),
        search,
        isAlone: access.isAlone,
      });
      await publisher?.drain();
      return result;
    } finally {
      await payloads.close();
    }
  });
}
