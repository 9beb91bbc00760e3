import type { Clock } from '../../kernel/clock.ts';
import type { MessageLedger } from '../ledger/message-ledger.ts';
import type { EngineMetrics } from '../metrics/engine-metrics.ts';
import { traceIdOf } from '../../telemetry/trace-context.ts';
import type { Emissions } from './emissions.ts';
import { HandOver, leasedEmission } from './hand-over.ts';
import { isNear } from './near-start.ts';
import type { Publisher } from './publisher.ts';
import { leaseExpired, type Run } from './run.ts';
import type { RunNotices } from './run-notices.ts';
import { resultJson } from './run-outcome.ts';

export interface RunFinishOptions {
  readonly ledger: Pick<MessageLedger, 'finishAndLease'>;
  readonly publisher: Publisher;
  readonly notices: RunNotices;
  readonly clock: Clock;
  readonly metrics: EngineMetrics;
}

/** The good end of runs: result, emissions and the end of the message in one commit. */
export class RunFinish {
  readonly #options: RunFinishOptions;

  constructor(options: RunFinishOptions) {
    this.#options = options;
  }

  /** Ends the message with its result and emissions. Throws MILLRACE_LEASE_EXPIRED when it is not ours any more. */
  async finish(run: Run, emissions: Emissions, result: unknown): Promise<void> {
    const { ledger, metrics, publisher, clock, notices } = this.#options;
    const { message, stage } = run;
    if (run.lease.isExpired()) throw leaseExpired(message.envelope.id);
    const written = await emissions.store();
    const durationMs = clock.monotonicMs() - run.startedMs;
    const endedAt = clock.now();
    const { id } = message.envelope;
    const { joins } = emissions;
    const finish = { id, fencingToken: message.fencingToken, result: resultJson(result), durationMs, joins };
    const handOver = new HandOver(written, clock.monotonicMs(), (name) => publisher.slotFor(name));
    const { leasesMs } = handOver;
    const leasing = written.map((emission, index) => ({ ...emission, leaseMs: leasesMs[index] }));
    const outcome = await ledger.finishAndLease({ ...finish, emissions: leasing }).catch((error: unknown) => {
      handOver.giveUp();
      throw error;
    });
    if (!outcome.isOurs) {
      handOver.giveUp();
      throw leaseExpired(id);
    }
    run.onDurable();
    const released = handOver.begin(
      outcome.leased,
      (emission, times) => leasedEmission(message, emission, times),
      (emission, isBegun) =>
        emission.stage !== '' &&
        publisher.enqueued(
          emission,
          isBegun || emission.waits !== undefined || !isNear(emission.start, endedAt),
        ),
    );
    run.span?.completed();
    run.observer?.ended({ kind: 'completed' });
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
    await Promise.all([notices.ended(run), released]);
  }
}
