import { bareEngineCatalogue } from '../../engine/metrics/engine-metrics.ts';
import { MessageLedger } from '../../engine/ledger/message-ledger.ts';
import { Admissions } from '../../engine/pipeline/admissions.ts';
import { MessageBodies, type MessageBodyLimits } from '../../engine/pipeline/message-bodies.ts';
import type { NamedWebhooks } from '../../engine/ledger/webhook-names.ts';
import { Publisher } from '../../engine/pipeline/publisher.ts';
import type { StageDefinition } from '../../engine/pipeline/stage-definition.ts';
import { StageRegistry } from '../../engine/pipeline/stage-registry.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { createMetrics } from '../../telemetry/metrics.ts';
import type { Installation } from '../../terminal/installation.ts';
import { composeRequests } from './compose-requests.ts';
import { requestMetrics } from './request-metrics.ts';
import type { RequestService } from './request-service.ts';
import type { RequestsSettings } from './requests-settings.ts';

/** What it reads of the configuration. */
export interface RequestCommandSettings {
  readonly requests: RequestsSettings;
  readonly webhooks: NamedWebhooks;
  readonly messages: MessageBodyLimits & { readonly maxDepth: number };
}

export interface RequestCommandOptions {
  /** Logs that the queue cannot be notified. */
  readonly logger: Logger;
  /** The stages of the pipelines; none where nothing is submitted. */
  readonly definitions?: readonly StageDefinition[];
}

/**
 * Requests in an operator's command, beside a running host too. What is submitted is checked by the stages that the command was given; budgets that refuse
 * new messages do not stop an operator. Throws what opening the ledger throws.
 */
export async function withOperatorRequests<Result>(
  { settings, withLedger }: Installation<RequestCommandSettings>,
  { logger, definitions = [] }: RequestCommandOptions,
  work: (service: RequestService) => Promise<Result>,
): Promise<Result> {
  return withLedger(async ({ database, clock, ...access }) => {
    const payloads = await access.openPayloads();
    const queues = await access.notifications();
    try {
      // Nobody scrapes a command: what it did stands in the ledger.
      const metrics = createMetrics({ ...bareEngineCatalogue, ...requestMetrics });
      const publisher = new Publisher({ queues: queues ?? noQueues, clock, logger, metrics });
      const registry = new StageRegistry();
      // Nothing is run here.
      const handler = { handle: () => Promise.reject(new Error('A command runs no stages.')) };
      registry.register(definitions.map((definition) => ({ definition, handler })));
      const bodies = new MessageBodies(payloads, settings.messages);
      const { maxDepth } = settings.messages;
      const ledger = new MessageLedger({ database, clock, worker: 'command' });
      const { service } = composeRequests({
        settings: settings.requests,
        webhooks: settings.webhooks,
        database,
        payloads,
        clock,
        metrics,
        admissions: new Admissions({ ledger, registry, bodies, publisher, clock, maxDepth }),
        registry,
        bodies,
        publisher,
      });
      const result = await work(service);
      await publisher.drain();
      return result;
    } finally {
      await payloads.close();
    }
  });
}

/** Of an embedded installation on which no host runs: its queues are filled from the ledger when one starts. */
const noQueues = { kind: 'inline' as const, queue: () => ({ add: () => Promise.resolve() }) };
