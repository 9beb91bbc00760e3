import type { PayloadStore } from '../../drivers/payload-store/payload-store.ts';
import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { LedgerCounts } from '../../engine/ledger/ledger-counts.ts';
import { MessageCancellations } from '../../engine/ledger/message-cancellations.ts';
import { StageBacklog } from '../../engine/ledger/stage-backlog.ts';
import { type NamedWebhooks, WebhookNames } from '../../engine/ledger/webhook-names.ts';
import type { Admissions } from '../../engine/pipeline/admissions.ts';
import type { MessageBodies } from '../../engine/pipeline/message-bodies.ts';
import { MessageCanceller } from '../../engine/pipeline/message-canceller.ts';
import type { Publisher } from '../../engine/pipeline/publisher.ts';
import type { StageRegistry } from '../../engine/pipeline/stage-registry.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { BoundRegistry } from '../../telemetry/bounds.ts';
import type { NameOf } from '../capability.ts';
import { RequestEndLedger } from './ends/end-ledger.ts';
import { EndRecorder } from './ends/end-recorder.ts';
import { RequestCanceller } from './ends/request-canceller.ts';
import { RequestEstimates } from './intake/request-estimates.ts';
import { RequestIntake } from './intake/request-intake.ts';
import { RequestLedger } from './intake/request-ledger.ts';
import { StageQueues } from './intake/stage-queues.ts';
import type { RequestMetrics } from './request-metrics.ts';
import type { requestNames } from './request-names.ts';
import { RequestService } from './request-service.ts';
import type { RequestsSettings } from './requests-settings.ts';
import { RequestEnds } from './state/request-ends.ts';
import { RequestStore } from './state/request-store.ts';
import { RequestWaiter } from './state/request-waiter.ts';

export interface RequestSurroundings {
  readonly settings: RequestsSettings;
  /** Of the configuration. */
  readonly webhooks: NamedWebhooks;
  readonly database: SqlDatabase;
  readonly payloads: PayloadStore;
  readonly clock: Clock;
  readonly metrics: RequestMetrics;
  readonly bounds?: BoundRegistry<NameOf<typeof requestNames, 'bounds'>>;
  readonly admissions: Admissions;
  readonly registry: StageRegistry;
  readonly bodies: MessageBodies;
  /** Without one the sweeper notifies stages, some seconds later. */
  readonly publisher?: Publisher | undefined;
}

/** What is done about requests, over open stores: by a host, or by an operator's command. */
export interface ComposedRequests {
  readonly service: RequestService;
  readonly ends: RequestEnds;
  readonly endLedger: RequestEndLedger;
  readonly recorder: EndRecorder;
  readonly canceller: RequestCanceller;
  readonly waiter: RequestWaiter;
}

export function composeRequests({
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
}: RequestSurroundings): ComposedRequests {
  const ends = new RequestEnds();
  const endLedger = new RequestEndLedger(database);
  const recorder = new EndRecorder({
    ledger: endLedger,
    registry,
    bodies,
    payloads,
    limits: settings,
    ends,
    metrics,
  });
  const cancellations = {
    ledger: new MessageCancellations(database),
    ...(publisher === undefined ? {} : { publisher }),
    metrics,
    clock,
  };
  const canceller = new RequestCanceller({
    ledger: endLedger,
    recorder,
    canceller: new MessageCanceller(cancellations),
    clock,
  });
  const store = new RequestStore(database);
  const queues = new StageQueues(new LedgerCounts(database), new StageBacklog(database), clock);
  const bounded = bounds === undefined ? {} : { bounds };
  const waiter = new RequestWaiter({ store, ends, clock, maxWaits: settings.waits, ...bounded });
  const service = new RequestService({
    intake: new RequestIntake({
      ledger: new RequestLedger({
        database,
        webhooks: new WebhookNames(database, webhooks),
        clock,
        ...bounded,
      }),
      admissions,
      registry,
      queues,
      settings,
      clock,
      metrics,
    }),
    store,
    waiter,
    canceller,
    estimates: new RequestEstimates(database, clock),
    queues,
    bodies,
  });
  return { service, ends, endLedger, recorder, canceller, waiter };
}
