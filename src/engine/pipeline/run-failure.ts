import type { Clock } from '../../kernel/clock.ts';
import type { MessageLedger } from '../ledger/message-ledger.ts';
import type { EngineMetrics } from '../metrics/engine-metrics.ts';
import { traceIdOf } from '../../telemetry/trace-context.ts';
import { decideFailure, failureCode } from './failure-policy.ts';
import { deadLetterReason, retryReason } from './failure-reason.ts';
import type { Run } from './run.ts';
import { attemptOf } from './run-context.ts';
import type { RunNotices } from './run-notices.ts';
import { failureDetail, outcomeLine } from './run-outcome.ts';
import type { RunStop } from './run-stop.ts';
import { waitNameOf } from './wait-name.ts';

export interface RunFailureOptions {
  readonly ledger: Pick<MessageLedger, 'release' | 'expire' | 'park' | 'retry' | 'end'>;
  readonly notices: RunNotices;
  readonly stop: RunStop;
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: EngineMetrics;
}

/** Every other end of runs: released, lost, put aside, tried again later, cancelled, or given up. */
export class RunFailure {
  readonly #options: RunFailureOptions;

  constructor(options: RunFailureOptions) {
    this.#options = options;
  }

  /** Decides what happens to a message whose attempt failed, and writes it. */
  async fail(run: Run, error: unknown): Promise<void> {
    const { ledger, metrics, notices, random, clock, stop } = this.#options;
    const { message, stage, logger } = run;
    const { owner, name } = stage.definition;
    const { id } = message.envelope;
    const { fencingToken } = message;
    const durationMs = clock.monotonicMs() - run.startedMs;
    const decision = decideFailure({
      error,
      attemptsBefore: message.attempts,
      invalidOutputsBefore: message.invalidOutputAttempts,
      policy: stage.definition.retry,
      invalidOutputPolicy: stage.definition.invalidOutput,
      interrupted: stop.hasBegun || run.lease.isExpired(),
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
      case 'release':
        if (stop.hasBegun || !run.hasBegun) {
          logger().warn({ error, code }, 'the message is released');
          await ledger.release([{ id, fencingToken, leaseMs: 0 }]);
          if (!stop.hasBegun) notices.due(run);
        } else {
          // It may be the message that kept the process from renewing its lease.
          logger().warn({ error, code }, 'the run is lost; the message goes back');
          await ledger.expire([{ id, fencingToken }]);
        }
        run.observer?.ended({ kind: decision.kind, code });
        return;
      case 'park': {
        const { delayMs, parkedFor, reason } = decision;
        if (
          !(await ledger.park({
            id,
            fencingToken,
            delayMs,
            parkedFor,
            waitsFor: waitNameOf(decision, error),
          }))
        )
          break;
        metrics.increment('messages_parked_total', { owner, stage: name, reason });
        logger().debug({ reason, delayMs, parkedFor }, 'the message waits; no attempt is counted');
        if (parkedFor === undefined) notices.parked(run, delayMs ?? 0);
        run.observer?.ended({ kind: decision.kind, code });
        return;
      }
      case 'retry': {
        const { delayMs, isInvalidOutput } = decision;
        const detail = failureDetail(error);
        const waitsFor = waitNameOf(decision, error);
        if (!(await ledger.retry({ id, fencingToken, delayMs, code, detail, isInvalidOutput, waitsFor })))
          break;
        const reason = retryReason(error, isInvalidOutput);
        metrics.increment('stage_retries_total', { owner, stage: name, reason });
        logger().warn(
          { error, code, attempt: attemptOf(message), delayMs },
          'the attempt failed; it is made again',
        );
        notices.due(run, delayMs);
        run.observer?.ended({ kind: decision.kind, code });
        return;
      }
      case 'cancel':
        if (!(await this.#end(run, 'cancelled', error, durationMs))) break;
        metrics.increment('stage_messages_total', { owner, stage: name, outcome: 'skipped' });
        logger().info({ code }, 'the message is cancelled by its handler');
        return;
      case 'dead_letter': {
        const isInvalidOutput = decision.why === 'invalid_output';
        if (!(await this.#end(run, 'dead_lettered', error, durationMs, isInvalidOutput))) break;
        metrics.increment('stage_messages_total', { owner, stage: name, outcome: 'dead_lettered' });
        metrics.increment('dead_letters_total', {
          owner,
          stage: name,
          reason: deadLetterReason(error, decision.why),
        });
        logger().error({ error, code, attempt: attemptOf(message) }, 'the message is given up: dead letter');
        return;
      }
    }
    run.span?.leaseExpired();
    run.observer?.ended({ kind: 'lost', code });
    logger().warn({ code }, 'the message is not ours any more: another worker has it, or it was cancelled');
  }

  /** Ends the message without a result. False: it was not ours any more. */
  async #end(
    run: Run,
    state: 'dead_lettered' | 'cancelled',
    error: unknown,
    durationMs: number,
    isInvalidOutput = false,
  ): Promise<boolean> {
    const { message, leasedAt } = run;
    const code = failureCode(error);
    const { ledger, clock, notices } = this.#options;
    const endedAt = clock.now();
    const isOurs = await ledger.end({
      id: message.envelope.id,
      fencingToken: message.fencingToken,
      state,
      code,
      detail: failureDetail(error),
      isInvalidOutput,
      outcomeLine: outcomeLine({ message, outcome: state, errorCode: code, endedAt, leasedAt, durationMs }),
    });
    if (!isOurs) return false;
    run.observer?.ended({ kind: state === 'cancelled' ? 'cancel' : 'dead_letter', code });
    await notices.ended(run);
    return true;
  }
}
