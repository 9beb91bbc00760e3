import { DeadLetters } from './dead-letters.ts';
import { DeadLetterService } from './dead-letter-service.ts';
import { type MessageBodyLimits, MessageBodies } from '../../engine/pipeline/message-bodies.ts';
import { Publisher } from '../../engine/pipeline/publisher.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { bareEngineCatalogue } from '../../engine/metrics/engine-metrics.ts';
import { createMetrics } from '../../telemetry/metrics.ts';
import { deadLetterMetrics } from './dead-letter-metrics.ts';
import type { Installation } from '../../terminal/installation.ts';

/** What it reads of the configuration. */
export interface DeadLetterSettings {
  readonly messages: MessageBodyLimits;
}

export interface DeadLetterCommandOptions {
  /** Logs that the queue cannot be notified. */
  readonly logger: Logger;
  /** Whether the work may replay, so that stages have to be notified. */
  readonly replays: boolean;
}

/**
 * Dead letters in an operator's command, on the stores of an installation. Replayed messages notify their
 * stages through the queue when it is a server or a host runs beside the command; without a host, embedded queues are
 * filled from the ledger when one starts. Throws what opening the ledger throws, and MILLRACE_QUEUE_UNAVAILABLE before
 * anything is changed.
 */
export async function withDeadLetterService<Result>(
  { settings, withLedger }: Installation<DeadLetterSettings>,
  { logger, replays }: DeadLetterCommandOptions,
  work: (service: DeadLetterService) => Promise<Result>,
): Promise<Result> {
  return withLedger(async ({ database, clock, ...access }) => {
    const payloads = await access.openPayloads();
    const queues = replays ? await access.notifications() : undefined;
    try {
      // Nobody scrapes a command: what it did stands in the audit.
      const metrics = createMetrics({ ...bareEngineCatalogue, ...deadLetterMetrics });
      const publisher = queues === undefined ? undefined : new Publisher({ queues, clock, logger, metrics });
      const service = new DeadLetterService({
        ledger: new DeadLetters(database),
        bodies: new MessageBodies(payloads, settings.messages),
        ...(publisher === undefined ? {} : { publisher }),
        metrics,
        clock,
      });
      const result = await work(service);
      await publisher?.drain();
      return result;
    } finally {
      await payloads.close();
    }
  });
}
