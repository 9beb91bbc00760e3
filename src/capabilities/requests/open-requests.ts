import type { NamedWebhooks } from '../../engine/ledger/webhook-names.ts';
import type { CapabilityContext, CapabilityParts, NameOf } from '../capability.ts';
import { composeRequests } from './compose-requests.ts';
import { EndJob } from './ends/end-job.ts';
import { EndWatcher } from './ends/end-watcher.ts';
import { RequestRetention } from './ends/request-retention.ts';
import { openEvents } from './events/open-events.ts';
import type { requestMetrics } from './request-metrics.ts';
import type { requestNames } from './request-names.ts';
import { RequestService } from './request-service.ts';
import type { RequestsSettings } from './requests-settings.ts';
import { readRequestGauges } from './state/request-gauges.ts';
import { RequestEnds } from './state/request-ends.ts';
import { RequestStore } from './state/request-store.ts';
import { ResultRoom } from './state/result-room.ts';
import { maxWaitToken } from './wait-preference.ts';

/** What requests read of the configuration. */
export interface RequestCapabilitySettings {
  readonly requests: RequestsSettings;
  readonly webhooks: NamedWebhooks;
  readonly retention: { readonly finishedDays: number };
}

const endsMs = 250;
const pruneMs = 60_000;

/** Composes requests in a host. */
export function openRequests({
  settings: { requests: settings, retention, webhooks },
  database,
  payloads,
  eventLogs,
  clock,
  logger,
  metrics,
  bounds,
  engine: { admissions, bodies, ends: endedMessages, publisher, registry },
}: CapabilityContext<
  RequestCapabilitySettings,
  typeof requestMetrics,
  NameOf<typeof requestNames, 'jobs'>,
  NameOf<typeof requestNames, 'bounds'>
>): CapabilityParts<NameOf<typeof requestNames, 'jobs'>> {
  const { service, ends, endLedger, recorder, canceller, waiter } = composeRequests({
    settings,
    webhooks,
    database,
    payloads,
    clock,
    metrics,
    bounds,
    admissions,
    registry,
    bodies,
    publisher,
  });
  const watcher = new EndWatcher({ ledger: endLedger, recorder, logger });
  watcher.watch(endedMessages);
  const job = new EndJob({ ledger: endLedger, recorder, canceller });
  const retained = new RequestRetention(database, retention);
  const room = new ResultRoom({
    maxBytes: settings.resultBytesInFlight,
    resultBytes: settings.resultBytes,
    bounds,
  });
  const events = openEvents({
    settings: settings.streams,
    database,
    eventLogs,
    clock,
    logger,
    metrics,
    bounds,
    ends,
    store: new RequestStore(database),
    service,
    room,
    canceller,
  });
  return {
    services: [
      ...events.services,
      [RequestService, service],
      [RequestEnds, ends],
      [ResultRoom, room],
      [maxWaitToken, settings.maxWaitSeconds],
    ],
    hooks: events.hooks,
    jobs: [
      ...events.jobs,
      { name: 'request_ends', intervalMs: endsMs, runsIn: 'maintenance', turn: () => job.turn() },
      { name: 'prune_requests', intervalMs: pruneMs, runsIn: 'maintenance', turn: () => retained.prune() },
    ],
    readGauges: async (reading) => {
      await events.readGauges(reading);
      const { open, oldestSeconds } = await readRequestGauges(database);
      metrics.set('requests_open', {}, open);
      metrics.set('request_oldest_open_seconds', {}, oldestSeconds);
      metrics.set('request_waits', {}, waiter.waits);
    },
    stop: async () => {
      await watcher.drain();
      await events.stop();
    },
  };
}
