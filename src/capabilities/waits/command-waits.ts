import { EventWaits } from '../../engine/ledger/event-waits.ts';
import { MessageBodies, type MessageBodyLimits } from '../../engine/pipeline/message-bodies.ts';
import { Publisher } from '../../engine/pipeline/publisher.ts';
import type { StageDefinition } from '../../engine/pipeline/stage-definition.ts';
import { StageRegistry } from '../../engine/pipeline/stage-registry.ts';
import { bareEngineCatalogue } from '../../engine/metrics/engine-metrics.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { createMetrics } from '../../telemetry/metrics.ts';
import type { Installation } from '../../terminal/installation.ts';
import { WaitService } from './wait-service.ts';

/** What it reads of the configuration. */
export interface WaitCommandSettings {
  readonly messages: MessageBodyLimits;
}

/** Waits in an operator's command, beside a running host too. What is completed is checked by the stages that the command was given. */
export async function withOperatorWaits<Result>(
  { settings, withLedger }: Installation<WaitCommandSettings>,
  definitions: readonly StageDefinition[],
  logger: Logger,
  work: (service: WaitService) => Promise<Result>,
): Promise<Result> {
  return withLedger(async ({ database, clock, ...access }) => {
    const payloads = await access.openPayloads();
    const queues = await access.notifications();
    try {
      const metrics = createMetrics(bareEngineCatalogue);
      const publisher = new Publisher({ queues: queues ?? noQueues, clock, logger, metrics });
      const registry = new StageRegistry();
      // Nothing is run here.
      const handler = { handle: () => Promise.reject(new Error('A command runs no stages.')) };
      registry.register(definitions.map((definition) => ({ definition, handler })));
      const bodies = new MessageBodies(payloads, settings.messages);
      const waits = new EventWaits(database);
      const result = await work(new WaitService({ waits, registry, bodies, publisher, clock }));
      await publisher.drain();
      return result;
    } finally {
      await payloads.close();
    }
  });
}

/** Of an embedded installation on which no host runs: its queues are filled from the ledger when one starts. */
const noQueues = { kind: 'inline' as const, queue: () => ({ add: () => Promise.resolve() }) };
