import { openRequests } from '../../src/capabilities/requests/open-requests.ts';
import { requestsSettings } from '../../src/capabilities/requests/requests-settings.ts';
import type { Provided } from '../../src/capabilities/capability.ts';
import { MemoryEventLogDriver } from '../../src/drivers/event-log/event-log.memory.ts';
import type { PayloadStore } from '../../src/drivers/payload-store/payload-store.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import type { Admissions } from '../../src/engine/pipeline/admissions.ts';
import { EndedMessages } from '../../src/engine/pipeline/ended-messages.ts';
import type { MessageBodies } from '../../src/engine/pipeline/message-bodies.ts';
import type { Publisher } from '../../src/engine/pipeline/publisher.ts';
import type { StageRegistry } from '../../src/engine/pipeline/stage-registry.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';

/** What requests work with in a test that has no host. */
export interface RequestParts {
  readonly database: SqlDatabase;
  readonly payloads: PayloadStore;
  readonly admissions: Admissions;
  readonly bodies: MessageBodies;
  readonly publisher: Publisher;
  readonly registry: StageRegistry;
  readonly settings?: Parameters<typeof requestsSettings.parse>[0];
  readonly ends?: EndedMessages;
}

/** Requests as a host composes them, over the parts of a test. */
export function requestParts({
  settings = {},
  ends = new EndedMessages(),
  admissions,
  bodies,
  publisher,
  registry,
  ...stores
}: RequestParts): ReturnType<typeof openRequests> {
  return openRequests({
    ...stores,
    settings: { requests: requestsSettings.parse(settings), retention: { finishedDays: 30 } },
    eventLogs: new MemoryEventLogDriver({ clock: systemClock }),
    clock: systemClock,
    logger: silentLogger,
    metrics: createMetrics(metricCatalogue),
    bounds: { register: () => undefined },
    engine: { admissions, bodies, publisher, registry, ends },
  } as unknown as Parameters<typeof openRequests>[0]);
}

/** What the API has of requests. */
export function requestServices(parts: RequestParts): readonly Provided[] {
  return requestParts(parts).services ?? [];
}
