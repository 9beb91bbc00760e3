import type { Uuid } from '../../kernel/ids.ts';
import { AppError } from '../../kernel/app-error.ts';
import { readableError } from '../../kernel/readable-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { MessageLedger } from '../ledger/message-ledger.ts';
import type { StageBacklog } from '../ledger/stage-backlog.ts';
import type { LeasedMessage } from '../ledger/stored-message.ts';
import type { ModelGateway } from '../calls/model-gateway.ts';
import { type Logger, messageFields } from '../../telemetry/logger.ts';
import type { EngineMetrics } from '../metrics/engine-metrics.ts';
import { traceIdOf } from '../../telemetry/trace-context.ts';
import { Emissions } from './emissions.ts';
import type { EndedMessages } from './ended-messages.ts';
import { decideFailure, failureCode } from './failure-policy.ts';
import { type AskedLease, HandOver, leasedEmission } from './hand-over.ts';
import type { LeaseKeeper } from './lease-keeper.ts';
import { LeaseLengths } from './lease-length.ts';
import type { MessageBodies } from './message-bodies.ts';
import { defaultMaxHops, refuseBeyondHops } from './hop-bound.ts';
import { orAbort } from './or-abort.ts';
import { refuseAfterLosses } from './lost-runs.ts';
import { awaitNewerProcess } from './newer-version.ts';
import type { Publisher } from './publisher.ts';
import { retryReason, deadLetterReason } from './failure-reason.ts';
import type { Run } from './run.ts';
import { attemptOf, contextOf, rejectDegenerate } from './run-context.ts';
import { failureDetail, outcomeLine, resultJson } from './run-outcome.ts';
import { waitNameOf } from './wait-name.ts';
import { RunSpan, type RunTracer } from './run-span.ts';
import type { RegisteredStage, StageRegistry } from './stage-registry.ts';

/*
 * One run, from claim to end. Which message it works on is the ledger's choice:
 *
 *   claim ─► read and check the data ─► handler ─► calls settled ─► finish (result, emissions, done)
 *                                          └─ error ─► decide: hand back, retry later, dead letter
 *
 * Every line between may be the last one of this process: nothing counts before `finish` or `settle` has
 * committed, and whoever comes next begins from what has.
 */

export interface MessageRunnerOptions {
  readonly ledger: MessageLedger;
  readonly backlog: StageBacklog;
  readonly gateway: ModelGateway;
  readonly keeper: LeaseKeeper;
  readonly bodies: MessageBodies;
  readonly publisher: Publisher;
  readonly registry: StageRegistry;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: EngineMetrics;
  /** Told of every message that is put aside for a time. */
  readonly onParked?: (stage: string, delayMs: number) => void;
  /** Told of every message that has ended here. */
  readonly ends?: EndedMessages;
  /** The most levels of arrays and objects in what is emitted. Default 128. */
  readonly maxDepth?: number;
  /** The most emissions between an admitted message and one that follows from it. Default 100. */
  readonly maxHops?: number;
  /** Makes a span of every run. Default none. */
  readonly tracer?: RunTracer;
}

export class MessageRunner {
  readonly #options: MessageRunnerOptions;
  readonly #leaseLengths = new LeaseLengths();
  readonly #leaving = new AbortController();
  #stopping = false;

  constructor(options: MessageRunnerOptions) {
    this.#options = options;
  }

  /** From now on failures are the host's, not the messages': they are handed back, as is what has not begun. */
  beginStop(): void {
    this.#stopping = true;
  }

  /** From now on nobody waits for a handler whose signal was aborted. */
  leaveHandlers(): void {
    this.#leaving.abort();
  }

  /**
   * Claims the message of the stage that is next; undefined when there is none. Whoever claims also works. `about`: a
   * message that was said to be due; if it is not yet, its stage is told again when it is.
   */
  async claim(
    stage: RegisteredStage,
    about: Uuid | undefined,
    onDurable: () => void,
  ): Promise<Run | undefined> {
    const { ledger, clock, logger, publisher } = this.#options;
    const { name, laneWeights, orderBy } = stage.definition;
    const leaseMs = this.leaseMsOf(name);
    const askedAtMs = clock.monotonicMs();
    const outcome = await ledger.claim({
      stage: name,
      leaseMs,
      ...(about === undefined ? {} : { about }),
      weights: laneWeights,
      isOrdered: orderBy !== undefined,
    });
    switch (outcome.kind) {
      case 'leased':
        break;
      case 'not_due':
        publisher.notifyLater(name, outcome.delayMs, about);
        return undefined;
      case 'none':
      case 'held_by_another':
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
    const { clock, keeper, logger, tracer } = this.#options;
    const { envelope, fence } = message;
    const { id, origin } = envelope;
    const held = keeper.hold({ id, fence, leaseMs, stage: envelope.stage, origin, askedAtMs });
    const leasedAt = clock.now();
    return {
      stage,
      message,
      held,
      logger: once(() => logger.child(messageFields(envelope))),
      startedMs: clock.monotonicMs(),
      leasedAt,
      onDurable,
      span: tracer && RunSpan.begin(tracer, message, leasedAt),
      hasBegun: false,
    };
  }

  /** Works on what was claimed. Resolves after the effect is durable, and told to those whom it concerns. */
  async work(run: Run): Promise<void> {
    try {
      await this.#work(run);
    } finally {
      run.held.release();
      run.span?.end();
      this.#leaseLengths
        .of(run.stage.definition.name)
        .record(this.#options.clock.monotonicMs() - run.startedMs);
    }
  }

  async #work(run: Run): Promise<void> {
    const { metrics } = this.#options;
    const { owner, name: stage } = run.stage.definition;
    const { message, leasedAt, span } = run;
    const waitedMs = Math.max(0, leasedAt.getTime() - message.availableAt.getTime());
    metrics.observe('queue_wait_seconds', { owner, stage }, waitedMs / 1000);
    const emissions = new Emissions(message.envelope, run.stage.definition, this.#options, span);
    const handle = (): Promise<unknown> => this.#handle(run, emissions);
    try {
      const result = await (span === undefined ? handle() : span.within(handle));
      await this.#finish(run, emissions, result);
    } catch (error) {
      await this.#fail(run, readableError(error));
    }
  }

  async #handle(run: Run, emissions: Emissions): Promise<unknown> {
    const { gateway, bodies, ledger } = this.#options;
    const { definition, handler } = run.stage;
    const { envelope, fence, deliveries, lostRuns, body } = run.message;
    refuseAfterLosses(lostRuns, definition.maxLostRuns);
    await refuseBeyondHops(run.message, this.#options.maxHops ?? defaultMaxHops, (id, maxStages) =>
      ledger.pathTo(id, maxStages),
    );
    awaitNewerProcess(definition.consumes, envelope.version, deliveries);
    const data = definition.consumes.read(envelope.version, await bodies.read(body));
    const timeout = new AbortController();
    const timer = setTimeout(
      () =>
        timeout.abort(
          new AppError(
            'MILLRACE_STAGE_TIMEOUT',
            `Stage "${definition.name}" took longer than ${definition.timeoutMs} ms`,
          ),
        ),
      definition.timeoutMs,
    );
    const signal = AbortSignal.any([run.held.signal, timeout.signal]);
    const scope = gateway.openScope({
      message: { ...envelope, fence, deliveries },
      origin: envelope.origin,
      signal,
    });
    try {
      const message = { ...envelope, data: data as never };
      const context = contextOf({ ...run, definition, signal, scope, emissions });
      // Another run that was claimed with it may have kept the process from everything until its lease was over.
      if (this.#stopping || run.held.isLost()) throw leaseLost(envelope.id);
      run.hasBegun = true;
      const handled = Promise.resolve(handler.handle(message, context));
      const result = await orAbort(handled, signal, this.#leaving.signal);
      if (scope.wasCut) throw signal.reason as Error;
      return result;
    } catch (thrown) {
      const error = readableError(thrown);
      await rejectDegenerate(scope, error);
      throw error;
    } finally {
      clearTimeout(timer);
      await scope.close();
      run.span?.spent(scope.spend());
    }
  }

  async #finish(run: Run, emissions: Emissions, result: unknown): Promise<void> {
    const { ledger, metrics, publisher, clock } = this.#options;
    const { message, stage } = run;
    if (run.held.isLost()) throw leaseLost(message.envelope.id);
    const written = await emissions.store();
    const durationMs = clock.monotonicMs() - run.startedMs;
    const endedAt = clock.now();
    const { id } = message.envelope;
    const finish = { id, fence: message.fence, result: resultJson(result), durationMs };
    const handOver = new HandOver(written, clock.monotonicMs(), (name) => publisher.slotFor(name));
    const { leasesMs } = handOver;
    const leasing = written.map((emission, index) => ({ ...emission, leaseMs: leasesMs[index] }));
    const outcome = await ledger.finishAndLease({ ...finish, emissions: leasing }).catch((error: unknown) => {
      handOver.giveUp();
      throw error;
    });
    if (!outcome.isOurs) {
      handOver.giveUp();
      throw leaseLost(id);
    }
    run.onDurable();
    const handedBack = handOver.begin(
      outcome.leased,
      (emission, times) => leasedEmission(message, emission, times),
      (emission, isBegun) => emission.stage !== '' && publisher.enqueued(emission, isBegun),
    );
    run.span?.completed();
    const labels = { owner: stage.definition.owner, stage: stage.definition.name };
    metrics.increment('stage_messages_total', { ...labels, outcome: 'success' });
    const traceId = traceIdOf(message.envelope.traceParent);
    metrics.observe('stage_duration_seconds', { ...labels, outcome: 'success' }, durationMs / 1000, traceId);
    if (written.every((emission) => emission.stage === '')) {
      metrics.observe(
        'message_age_seconds',
        labels,
        Math.max(0, endedAt.getTime() - message.envelope.admittedAt.getTime()) / 1000,
      );
    }
    this.#ended(run);
    await handedBack;
  }

  async #fail(run: Run, error: unknown): Promise<void> {
    const { ledger, metrics, publisher, random, clock } = this.#options;
    const { message, stage, logger } = run;
    const { owner, name } = stage.definition;
    const { id } = message.envelope;
    const { fence } = message;
    const durationMs = clock.monotonicMs() - run.startedMs;
    const decision = decideFailure({
      error,
      attemptsBefore: message.attempts,
      degenerateBefore: message.degenerateAttempts,
      policy: stage.definition.retry,
      degeneratePolicy: stage.definition.degenerate,
      interrupted: this.#stopping || run.held.isLost(),
      random: random(),
    });
    if (decision.kind !== 'park')
      metrics.observe(
        'stage_duration_seconds',
        { owner, stage: name, outcome: 'failure' },
        durationMs / 1000,
        traceIdOf(message.envelope.traceParent),
      );
    const code = failureCode(error);
    run.span?.failed(decision, code);
    switch (decision.kind) {
      case 'hand_back':
        if (this.#stopping || !run.hasBegun) {
          logger().warn({ error, code }, 'the message is handed back');
          await ledger.handBack([{ id, fence, leaseMs: 0 }]);
          if (!this.#stopping) publisher.notify(name, id);
        } else {
          // It may be the message that kept the process from renewing its lease.
          logger().warn({ error, code }, 'the run is lost; the message goes back');
          await ledger.lose([{ id, fence }]);
        }
        return;
      case 'park': {
        const { delayMs, parkedFor, reason } = decision;
        if (!(await ledger.park({ id, fence, delayMs, parkedFor, waitsFor: waitNameOf(decision, error) })))
          break;
        metrics.increment('messages_parked_total', { owner, stage: name, reason });
        logger().debug({ reason, delayMs, parkedFor }, 'the message waits; no attempt is counted');
        if (parkedFor === undefined) {
          this.#options.onParked?.(name, delayMs ?? 0);
          publisher.notify(name, id, delayMs ?? 0);
        }
        return;
      }
      case 'retry': {
        const { delayMs, isDegenerate } = decision;
        const detail = failureDetail(error);
        const waitsFor = waitNameOf(decision, error);
        if (!(await ledger.retry({ id, fence, delayMs, code, detail, isDegenerate, waitsFor }))) break;
        const reason = retryReason(error, isDegenerate);
        metrics.increment('stage_retries_total', { owner, stage: name, reason });
        logger().warn(
          { error, code, attempt: attemptOf(message), delayMs },
          'the attempt failed; it is made again',
        );
        publisher.notify(name, id, delayMs);
        return;
      }
      case 'cancel':
        if (!(await this.#end(run, 'cancelled', error, durationMs))) break;
        metrics.increment('stage_messages_total', { owner, stage: name, outcome: 'skipped' });
        logger().info({ code }, 'the message is cancelled by its handler');
        return;
      case 'dead_letter': {
        const isDegenerate = decision.why === 'degenerate';
        if (!(await this.#end(run, 'dead_lettered', error, durationMs, isDegenerate))) break;
        metrics.increment('stage_messages_total', { owner, stage: name, outcome: 'dead_lettered' });
        metrics.increment('dlq_messages_total', {
          owner,
          stage: name,
          reason: deadLetterReason(error, decision.why),
        });
        logger().error({ error, code, attempt: attemptOf(message) }, 'the message is given up: dead letter');
        return;
      }
    }
    run.span?.leaseLost();
    logger().warn({ code }, 'the message is not ours any more: another worker has it, or it was cancelled');
  }

  /** Ends the message without a result. False: it was not ours any more. */
  async #end(
    run: Run,
    state: 'dead_lettered' | 'cancelled',
    error: unknown,
    durationMs: number,
    isDegenerate = false,
  ): Promise<boolean> {
    const { message, leasedAt } = run;
    const code = failureCode(error);
    const endedAt = this.#options.clock.now();
    const isOurs = await this.#options.ledger.end({
      id: message.envelope.id,
      fence: message.fence,
      state,
      code,
      detail: failureDetail(error),
      isDegenerate,
      outcomeLine: outcomeLine({ message, outcome: state, errorCode: code, endedAt, leasedAt, durationMs }),
    });
    if (isOurs) this.#ended(run);
    return isOurs;
  }

  /** The end let the next of the key go. */
  #ended({ message: { envelope, orderKey } }: Run): void {
    this.#options.backlog.ended(envelope.stage);
    this.#options.ends?.tell(envelope);
    if (orderKey !== undefined) this.#options.publisher.notify(envelope.stage, envelope.id);
  }
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

function leaseLost(id: string): AppError {
  return new AppError('MILLRACE_LEASE_LOST', `The lease on message ${id} had passed on before it ended`);
}
