import type { Uuid } from '../../kernel/ids.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { MessageLedger } from '../ledger/message-ledger.ts';
import type { LeasedMessage } from '../ledger/stored-message.ts';
import { type Logger, messageFields } from '../../telemetry/logger.ts';
import type { AskedLease } from './hand-over.ts';
import type { LeaseRenewer } from './lease-renewer.ts';
import { LeaseLengths } from './lease-length.ts';
import type { Publisher } from './publisher.ts';
import type { Run } from './run.ts';
import type { RunFollower } from './run-observer.ts';
import { RunSpan, type RunTracer } from './run-span.ts';
import { hasOrder } from './stage-definition.ts';
import type { RegisteredStage } from './stage-registry.ts';

export interface MessageClaimerOptions {
  readonly ledger: Pick<MessageLedger, 'claim'>;
  readonly renewer: LeaseRenewer;
  readonly publisher: Publisher;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Makes a span of every run. Default none. */
  readonly tracer?: RunTracer | undefined;
  /** Asked who follows a run. Default nobody. */
  readonly follower?: RunFollower | undefined;
}

/** The beginning of runs: claims messages, and keeps their leases for as long as they are worked on. */
export class MessageClaimer {
  readonly #options: MessageClaimerOptions;
  readonly #leaseLengths = new LeaseLengths();

  constructor(options: MessageClaimerOptions) {
    this.#options = options;
  }

  /**
   * Claims the message of the stage that is next; undefined when there is none. Whoever claims also works. `about`: a
   * message that was said to be due; if it is not yet, its stage is notified again when it is.
   */
  async claim(
    stage: RegisteredStage,
    about: Uuid | undefined,
    onDurable: () => void,
  ): Promise<Run | undefined> {
    const { ledger, clock, logger, publisher } = this.#options;
    const { name, laneWeights } = stage.definition;
    const leaseMs = this.leaseMsOf(name);
    const askedAtMs = clock.monotonicMs();
    const outcome = await ledger.claim({
      stage: name,
      leaseMs,
      ...(about === undefined ? {} : { about }),
      weights: laneWeights,
      isOrdered: hasOrder(stage.definition),
    });
    switch (outcome.kind) {
      case 'leased':
        break;
      case 'not_due':
        publisher.notifyLater(name, outcome.delayMs, about);
        return undefined;
      case 'none':
      case 'leased_by_another':
      case 'waits':
      case 'ended':
        return undefined;
      case 'unknown':
        logger.warn({ messageId: about, stage: name }, 'told of a message that the ledger does not hold');
        return undefined;
    }
    return this.begin(stage, outcome.message, { leaseMs, askedAtMs }, onDurable);
  }

  /** How long a message of the stage is leased now. */
  leaseMsOf(stage: string): number {
    return this.#leaseLengths.of(stage).leaseMs;
  }

  /** Takes up a message that is leased to this process. Whoever does also works. */
  begin(
    stage: RegisteredStage,
    message: LeasedMessage,
    { leaseMs, askedAtMs }: AskedLease,
    onDurable: () => void,
  ): Run {
    const { clock, renewer, logger, tracer, follower } = this.#options;
    const { envelope, fencingToken } = message;
    const { id, origin } = envelope;
    const lease = renewer.keep({ id, fencingToken, leaseMs, stage: envelope.stage, origin, askedAtMs });
    const leasedAt = clock.now();
    return {
      stage,
      message,
      lease,
      logger: once(() => logger.child(messageFields(envelope))),
      startedMs: clock.monotonicMs(),
      leasedAt,
      onDurable,
      span: tracer && RunSpan.begin(tracer, message, leasedAt),
      observer: follower?.follow(message),
      hasBegun: false,
    };
  }

  /** The run is over: its lease is not renewed any more, and what it took tells how long the next is to be. */
  end(run: Run): void {
    run.lease.release();
    run.span?.end();
    // Where the ledger could not be told how it ended.
    run.observer?.ended({ kind: 'lost', code: 'MILLRACE_LEASE_EXPIRED' });
    this.#leaseLengths
      .of(run.stage.definition.name)
      .record(this.#options.clock.monotonicMs() - run.startedMs);
  }
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
