import type { EventLogDriver } from '../../../drivers/event-log/event-log-driver.ts';
import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import { AppError } from '../../../kernel/app-error.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { newId, type Uuid } from '../../../kernel/ids.ts';
import type { BoundRegistry } from '../../../telemetry/bounds.ts';
import type { Logger } from '../../../telemetry/logger.ts';
import type { CapabilityParts, EngineHooks, Job, Provided } from '../../capability.ts';
import type { RequestCanceller } from '../ends/request-canceller.ts';
import type { RequestMetrics } from '../request-metrics.ts';
import type { RequestService } from '../request-service.ts';
import type { RequestEnds } from '../state/request-ends.ts';
import type { RequestStore } from '../state/request-store.ts';
import type { ResultRoom } from '../state/result-room.ts';
import { EndWatch } from './end-watch.ts';
import { RequestEventLog } from './event-log.ts';
import { EventOutlets } from './event-outlets.ts';
import { EventStreams, type ShowEnd, type ShowRequest } from './event-stream.ts';
import { OpenStreams } from './open-streams.ts';
import { RequestListeners } from './request-listeners.ts';
import { RequestStreams } from './request-streams.ts';
import { RunPublisher } from './run-publisher.ts';
import type { StreamSettings } from './stream-settings.ts';
import { StreamTokenSecret } from './stream-token-secret.ts';
import { StreamTokens } from './stream-tokens.ts';

export interface EventsOptions {
  readonly settings: StreamSettings;
  readonly database: SqlDatabase;
  readonly eventLogs: EventLogDriver;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: RequestMetrics;
  readonly bounds: BoundRegistry<'event_writes' | 'request_streams'>;
  readonly ends: RequestEnds;
  readonly store: Pick<RequestStore, 'listEndedAmong'>;
  readonly service: Pick<RequestService, 'stand' | 'showSmall'>;
  readonly room: ResultRoom;
  readonly canceller: Pick<RequestCanceller, 'cancel'>;
}

/** What the events of requests add to the capability. */
export interface EventsParts {
  readonly services: readonly Provided[];
  readonly hooks: EngineHooks;
  readonly jobs: readonly Job<'prolong_listeners' | 'cancel_left_requests'>[];
  readonly readGauges: NonNullable<CapabilityParts['readGauges']>;
  readonly stop: () => Promise<void>;
}

const heartbeatMs = 15_000;
const maxStallMs = 30_000;
const maxStreamMs = 3_600_000;
const prolongMs = 1000;
const leftMs = 250;
/** A larger result is read from the request itself. */
const maxResultBytes = 1_048_576;

/** Composes what is told of requests while they are worked on. */
export function openEvents(options: EventsOptions): EventsParts {
  const { settings, database, clock, logger, metrics, bounds, ends, store, service, room, canceller } =
    options;
  const log = new RequestEventLog({
    driver: options.eventLogs,
    clock,
    limits: {
      maxEntries: settings.logEvents,
      maxBytes: settings.logBytes,
      keptMs: settings.keptSeconds * 1000,
      keptEndedMs: settings.keptEndedSeconds * 1000,
    },
  });
  const outlets = new EventOutlets({
    log,
    clock,
    bounds,
    onDropped: (count) => metrics.increment('request_events_dropped_total', {}, count),
  });
  ends.watch((ended) => {
    for (const { id, state } of ended) outlets.push(id, { kind: state });
  });
  const show: ShowRequest = (id, viewer) => service.stand(id, viewer);
  const showEnd: ShowEnd = (id, viewer, takeRoom) =>
    service.showSmall(id, viewer, { maxBytes: maxResultBytes, takeRoom });
  const open = new OpenStreams({
    clock,
    bounds,
    maxStreams: settings.maxOpen,
    maxStreamsPerKey: settings.maxOpenPerKey,
    heartbeatMs,
    maxStallMs,
    maxStreamMs,
    onEnd: (end) => metrics.increment('request_streams_ended_total', { end }),
    onError: (error) =>
      logger.warn({ error }, 'a stream of events ended in the middle; its client connects again'),
    onFirstText: (seconds) => metrics.observe('request_first_text_seconds', {}, seconds),
  });
  const listeners = new RequestListeners({
    database,
    clock,
    logger,
    listener: newId(clock.now()),
    cancel: async (id) => await cancelLeft(canceller, id),
  });
  const tokens = new StreamTokens({
    secret: new StreamTokenSecret(database, settings.tokenSecret),
    clock,
    lifeMs: settings.tokenSeconds * 1000,
  });
  const endWatch = new EndWatch({
    listEndedAmong: (ids) => store.listEndedAmong(ids),
    listen: (id, listener) => ends.listen(id, listener),
    clock,
  });
  const streams = new EventStreams({ log, ends: endWatch, showEnd, clock });
  return {
    services: [
      [RequestStreams, new RequestStreams({ show, streams, open, listeners, tokens, room, clock })],
      [OpenStreams, open],
      [StreamTokens, tokens],
    ],
    hooks: { follower: new RunPublisher({ outlets, clock }) },
    jobs: [
      {
        name: 'prolong_listeners',
        intervalMs: prolongMs,
        runsIn: 'every_process',
        turn: () => listeners.prolong(),
      },
      {
        name: 'cancel_left_requests',
        intervalMs: leftMs,
        runsIn: 'maintenance',
        turn: () => listeners.cancelLeft(),
      },
    ],
    readGauges: () => metrics.set('request_streams_open', {}, open.size),
    stop: async () => {
      open.stop();
      await listeners.close();
      await outlets.close();
    },
  };
}

/** Cancels a request; one that has ended, or is gone, needs nothing. */
async function cancelLeft(canceller: Pick<RequestCanceller, 'cancel'>, id: Uuid): Promise<void> {
  try {
    await canceller.cancel(id, 'Its last listener has left.', { actor: 'millrace' });
  } catch (error) {
    const isOver =
      error instanceof AppError &&
      (error.code === 'MILLRACE_REQUEST_ENDED' || error.code === 'MILLRACE_REQUEST_NOT_FOUND');
    if (!isOver) throw error;
  }
}
