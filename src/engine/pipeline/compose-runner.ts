import type { Clock } from '../../kernel/clock.ts';
import type { MeteredModels } from '../calls/metered-models.ts';
import type { MessageLedger } from '../ledger/message-ledger.ts';
import type { EventWaits } from '../ledger/event-waits.ts';
import type { Joins } from '../ledger/joins.ts';
import type { StageBacklog } from '../ledger/stage-backlog.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { EngineMetrics } from '../metrics/engine-metrics.ts';
import { Emissions } from './emissions.ts';
import type { EndedMessages } from './ended-messages.ts';
import { HandlerRuns } from './handler-runs.ts';
import type { LeaseRenewer } from './lease-renewer.ts';
import type { MessageBodies } from './message-bodies.ts';
import { MessageClaimer } from './message-claimer.ts';
import { MessageRunner } from './message-runner.ts';
import type { Publisher } from './publisher.ts';
import { RunFailure } from './run-failure.ts';
import { RunFinish } from './run-finish.ts';
import { RunNotices } from './run-notices.ts';
import type { RunFollower } from './run-observer.ts';
import type { RunTracer } from './run-span.ts';
import { RunStop } from './run-stop.ts';
import type { StageRegistry } from './stage-registry.ts';

/** Everything that runs are made with. */
export interface RunnerServices {
  readonly ledger: MessageLedger;
  readonly backlog: StageBacklog;
  readonly joins: Joins;
  readonly eventWaits: EventWaits;
  readonly meteredModels: MeteredModels;
  readonly renewer: LeaseRenewer;
  readonly bodies: MessageBodies;
  readonly publisher: Publisher;
  readonly registry: StageRegistry;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: EngineMetrics;
  /** Called for every message that is put aside for a time. */
  readonly onParked?: (stage: string, delayMs: number) => void;
  /** Called for every message that has ended here. */
  readonly ends?: EndedMessages;
  /** The most levels of arrays and objects in what is emitted. Default 128. */
  readonly maxDepth?: number;
  /** The most emissions between an admitted message and one that follows from it. Default 100. */
  readonly maxHops?: number;
  /** Makes a span of every run. Default none. */
  readonly tracer?: RunTracer;
  /** Asked who follows a run. Default nobody. */
  readonly follower?: RunFollower;
}

/** Composes what works on messages. */
export function composeRunner(services: RunnerServices): MessageRunner {
  const { metrics } = services;
  const stop = new RunStop();
  const notices = new RunNotices(services);
  return new MessageRunner({
    claimer: new MessageClaimer(services),
    handlers: new HandlerRuns({ ...services, stop }),
    finish: new RunFinish({ ...services, notices }),
    failure: new RunFailure({ ...services, notices, stop }),
    emissionsOf: ({ message, stage, span }) =>
      new Emissions(message.envelope, stage.definition, services, span),
    stop,
    metrics,
  });
}
