import { LedgerCounts } from '../../engine/ledger/ledger-counts.ts';
import { type NamedWebhooks, WebhookNames } from '../../engine/ledger/webhook-names.ts';
import { MessageCancellations } from '../../engine/ledger/message-cancellations.ts';
import { StageBacklog } from '../../engine/ledger/stage-backlog.ts';
import { MessageCanceller } from '../../engine/pipeline/message-canceller.ts';
import type { CapabilityContext, CapabilityParts, NameOf } from '../capability.ts';
import { EndJob } from './ends/end-job.ts';
import { RequestEndLedger } from './ends/end-ledger.ts';
import { EndRecorder } from './ends/end-recorder.ts';
import { EndWatcher } from './ends/end-watcher.ts';
import { RequestCanceller } from './ends/request-canceller.ts';
import { RequestRetention } from './ends/request-retention.ts';
import { RequestEstimates } from './intake/request-estimates.ts';
import { RequestIntake } from './intake/request-intake.ts';
import { RequestLedger } from './intake/request-ledger.ts';
import { StageQueues } from './intake/stage-queues.ts';
import type { requestMetrics } from './request-metrics.ts';
import type { requestNames } from './request-names.ts';
import { RequestService } from './request-service.ts';
import type { RequestsSettings } from './requests-settings.ts';
import { RequestEnds } from './state/request-ends.ts';
import { RequestStore } from './state/request-store.ts';
import { RequestWaiter } from './state/request-waiter.ts';
import { maxWaitToken } from './wait-preference.ts';

/** What requests read of the configuration. */
export interface RequestCapabilitySettings {
  readonly requests: RequestsSettings;
  readonly webhooks: NamedWebhooks;
  readonly retention: { readonly finishedDays: number };
}

const endsMs = 250;
const pruneMs = 60_000;

/** Composes requests. */
export function openRequests({
  settings: { requests: settings, retention, webhooks },
  database,
  payloads,
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
  const ends = new RequestEnds();
  const endLedger = new RequestEndLedger(database);
  const recorder = new EndRecorder({ ledger: endLedger, bodies, payloads, limits: settings, ends, metrics });
  const watcher = new EndWatcher({ ledger: endLedger, recorder, logger });
  watcher.watch(endedMessages);
  const canceller = new RequestCanceller({
    ledger: endLedger,
    recorder,
    canceller: new MessageCanceller({
      ledger: new MessageCancellations(database),
      publisher,
      metrics,
      clock,
    }),
    clock,
  });
  const job = new EndJob({ ledger: endLedger, recorder, canceller });
  const retained = new RequestRetention(database, retention);
  const store = new RequestStore(database);
  const queues = new StageQueues(new LedgerCounts(database), new StageBacklog(database), clock);
  const service = new RequestService({
    intake: new RequestIntake({
      ledger: new RequestLedger({ database, webhooks: new WebhookNames(database, webhooks), clock, bounds }),
      admissions,
      registry,
      queues,
      settings,
      clock,
      metrics,
    }),
    store,
    waiter: new RequestWaiter({ store, ends, clock, maxWaits: settings.waits, bounds }),
    canceller,
    estimates: new RequestEstimates(database, clock),
    queues,
    bodies,
  });
  return {
    services: [
      [RequestService, service],
      [RequestEnds, ends],
      [maxWaitToken, settings.maxWaitSeconds],
    ],
    jobs: [
      { name: 'request_ends', intervalMs: endsMs, runsIn: 'maintenance', turn: () => job.turn() },
      { name: 'prune_requests', intervalMs: pruneMs, runsIn: 'maintenance', turn: () => retained.prune() },
    ],
    stop: () => watcher.drain(),
  };
}
