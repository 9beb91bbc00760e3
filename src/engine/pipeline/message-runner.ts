import { readableError } from '../../kernel/readable-error.ts';
import type { Uuid } from '../../kernel/ids.ts';
import type { LeasedMessage } from '../ledger/stored-message.ts';
import type { EngineMetrics } from '../metrics/engine-metrics.ts';
import type { Emissions } from './emissions.ts';
import type { AskedLease } from './hand-over.ts';
import type { HandlerRuns } from './handler-runs.ts';
import type { MessageClaimer } from './message-claimer.ts';
import type { Run } from './run.ts';
import type { RunFailure } from './run-failure.ts';
import type { RunFinish } from './run-finish.ts';
import type { RunStop } from './run-stop.ts';
import type { RegisteredStage } from './stage-registry.ts';

/*
 * One run, from claim to end. Which message it works on is the ledger's choice:
 *
 *   claim ─► read and check the data ─► handler ─► calls settled ─► finish (result, emissions, done)
 *                                          └─ error ─► decide: release, retry later, dead letter
 *
 * Every line between may be the last one of this process: nothing counts before `finish` or `settle` has
 * committed, and whoever comes next begins from what has.
 */

export interface MessageRunnerOptions {
  readonly claimer: MessageClaimer;
  readonly handlers: Pick<HandlerRuns, 'handle'>;
  readonly finish: Pick<RunFinish, 'finish'>;
  readonly failure: Pick<RunFailure, 'fail'>;
  /** What a run emits is collected there. */
  readonly emissionsOf: (run: Run) => Emissions;
  readonly stop: RunStop;
  readonly metrics: EngineMetrics;
}

export class MessageRunner {
  readonly #options: MessageRunnerOptions;

  constructor(options: MessageRunnerOptions) {
    this.#options = options;
  }

  /** From now on failures are the host's, not the messages': they are released, as is what has not begun. */
  beginStop(): void {
    this.#options.stop.begin();
  }

  /** From now on nobody waits for a handler whose signal was aborted. */
  leaveHandlers(): void {
    this.#options.stop.leaveHandlers();
  }

  /** See MessageClaimer. Whoever claims also works. */
  claim(stage: RegisteredStage, about: Uuid | undefined, onDurable: () => void): Promise<Run | undefined> {
    return this.#options.claimer.claim(stage, about, onDurable);
  }

  /** How long a message of the stage is leased now. */
  leaseMsOf(stage: string): number {
    return this.#options.claimer.leaseMsOf(stage);
  }

  /** Takes up a message that is leased to this process. Whoever does also works. */
  begin(stage: RegisteredStage, message: LeasedMessage, lease: AskedLease, onDurable: () => void): Run {
    return this.#options.claimer.begin(stage, message, lease, onDurable);
  }

  /** Works on what was claimed. Resolves after the effect is durable, and those whom it concerns are notified. */
  async work(run: Run): Promise<void> {
    try {
      await this.#work(run);
    } finally {
      this.#options.claimer.end(run);
    }
  }

  async #work(run: Run): Promise<void> {
    const { handlers, finish, failure, emissionsOf, metrics } = this.#options;
    const { owner, name: stage } = run.stage.definition;
    const { message, leasedAt, span } = run;
    const waitedMs = Math.max(0, leasedAt.getTime() - message.availableAt.getTime());
    metrics.observe('queue_wait_seconds', { owner, stage }, waitedMs / 1000);
    const emissions = emissionsOf(run);
    const handle = (): Promise<unknown> => handlers.handle(run, emissions);
    try {
      const result = await (span === undefined ? handle() : span.within(handle));
      await finish.finish(run, emissions, result);
    } catch (error) {
      await failure.fail(run, readableError(error));
    }
  }
}
