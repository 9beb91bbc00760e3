import { DeadLetters } from '../capabilities/dead-letters/dead-letters.ts';
import { DeadLetterOffice } from '../capabilities/dead-letters/dead-letter-office.ts';
import { MessageBodies } from '../engine/pipeline/message-bodies.ts';
import { Publisher } from '../engine/pipeline/publisher.ts';
import type { Logger } from '../telemetry/logger.ts';
import { metricCatalogue } from '../telemetry/metric-catalogue.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import type { Configuration } from './configuration.ts';
import { withExistingLedger } from './operator-ledger.ts';
import { openPayloads } from './stores.ts';

export interface DeadLetterCommandOptions {
  /** Told when the queue cannot be. */
  readonly logger: Logger;
  /** Whether the work may replay, so that stages have to be woken. */
  readonly replays: boolean;
}

/**
 * Dead letters in an operator's command, on the stores that the configuration names. Replayed messages wake their
 * stages through the queue when it is a server or a host runs beside the command; without a host, embedded queues are
 * filled from the ledger when one starts. Throws what withExistingLedger throws, and MILLRACE_QUEUE_UNAVAILABLE before
 * anything is changed.
 */
export async function withDeadLetterOffice<Result>(
  configuration: Configuration,
  { logger, replays }: DeadLetterCommandOptions,
  work: (office: DeadLetterOffice) => Promise<Result>,
): Promise<Result> {
  return withExistingLedger(configuration, async (database, access) => {
    const payloads = await openPayloads(configuration);
    const queues = replays ? await access.notifications() : undefined;
    try {
      // Nobody scrapes a command: what it did stands in the audit.
      const metrics = createMetrics(metricCatalogue);
      const { clock } = access;
      const publisher = queues === undefined ? undefined : new Publisher({ queues, clock, logger, metrics });
      const office = new DeadLetterOffice({
        ledger: new DeadLetters(database),
        bodies: new MessageBodies(payloads, configuration.messages),
        ...(publisher === undefined ? {} : { publisher }),
        metrics,
        clock,
      });
      const result = await work(office);
      await publisher?.drain();
      return result;
    } finally {
      await payloads.close();
    }
  });
}
