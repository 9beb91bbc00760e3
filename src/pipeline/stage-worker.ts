import type { QueueConsumer, QueueDriver, WakeUp } from '../drivers/queue/queue.ts';
import type { Clock } from '../kernel/clock.ts';
import { kindOfError, LogPace } from '../telemetry/log-pace.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from '../telemetry/metrics.ts';
import type { MessageRunner, Run } from './message-runner.ts';
import type { Publisher } from './publisher.ts';
import type { StageDefinition } from './stage-definition.ts';
import type { StageGate } from './stage-gate.ts';
import type { RegisteredStage } from './stage-registry.ts';
import { WorkerSlots } from './worker-slots.ts';
import type { Bounds } from '../telemetry/bounds.ts';

/*
 * Turns tokens into runs, as many at once as the stage's gate allows. A job of the queue is done as soon as its token
 * has claimed a message, since from then on the lease in the ledger speaks for it; the run goes on by itself. Tokens of
 * messages that this very process wrote need not go through the queue while there are free slots (WorkerSlots).
 */

export interface StageWorkerOptions {
  readonly queues: QueueDriver;
  readonly runner: MessageRunner;
  readonly publisher: Publisher;
  /** How many messages at once, and whether any. */
  readonly gate: StageGate;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: MillraceMetrics;
  readonly bounds?: Bounds;
}

/** Who wants the stage to take nothing: an operator's hold, or a limit. */
type PauseReason = 'held' | 'limited';

/** How many tokens of the queue wait or claim at once: enough to fill groups, few enough to leave the rest to others. */
const maxTokensInHand = 32;

/** A claimed message with the slot that it is worked on in. */
interface SlottedRun {
  readonly run: Run;
  readonly release: () => void;
}

export class StageWorker {
  readonly #stage: RegisteredStage;
  readonly #options: StageWorkerOptions;
  readonly #slots: WorkerSlots;
  readonly #running = new Set<Promise<void>>();
  readonly #pace: LogPace;
  readonly #pausedBy = new Set<PauseReason>();
  #consumer: QueueConsumer | undefined;
  #isStopping = false;
  #pausing: Promise<void> = Promise.resolve();

  constructor(stage: RegisteredStage, options: StageWorkerOptions) {
    this.#stage = stage;
    this.#options = options;
    this.#pace = new LogPace(options.clock);
    const { owner, name } = stage.definition;
    this.#slots = new WorkerSlots({
      capacity: options.gate.concurrency,
      nowMs: () => options.clock.monotonicMs(),
      onChange: (busy) => options.metrics.set('worker_active', { owner, stage: name }, busy),
    });
    this.#registerBounds();
  }

  get definition(): StageDefinition {
    return this.#stage.definition;
  }

  async start(): Promise<void> {
    const { queues, publisher, metrics } = this.#options;
    const { name: stage, owner } = this.definition;
    metrics.set('worker_concurrency', { owner, stage }, this.#slots.capacity);
    metrics.set('worker_active', { owner, stage }, 0);
    const isInline = queues.kind === 'inline';
    if (!isInline) publisher.takeLocally(stage, (wakeUp) => this.#takeLocally(wakeUp));
    this.#consumer = await queues.queue(stage).consume(
      async (wakeUp) => {
        if (!(await this.#slots.take())) return 'return';
        const claimed = await this.#claim(wakeUp);
        if (claimed === undefined) return undefined;
        const ended = this.#work(claimed);
        if (isInline) await ended;
        else this.#keep(ended);
        return undefined;
      },
      { concurrency: this.#tokensInHand, onError: (error) => this.#complain(error) },
    );
    if (this.#pausedBy.size > 0) await this.#consumer.pause();
  }

  get #tokensInHand(): number {
    return Math.min(this.definition.concurrency, maxTokensInHand);
  }

  #registerBounds(): void {
    const slots = this.#slots;
    this.#options.bounds?.register('worker_slots', {
      get limit() {
        return slots.capacity;
      },
      takePeak: () => slots.takeBusyPeak(),
    });
    this.#options.bounds?.register('worker_tokens', {
      limit: this.#tokensInHand,
      takePeak: () => slots.takeWaitingPeak(),
    });
  }

  /** Takes no tokens while the stage is held; what is in hand goes on. */
  setPaused(isPaused: boolean): Promise<void> {
    return this.#setPaused('held', isPaused);
  }

  /** Follows what its gate decides by what it has seen. `lagMs` is how late the event loop runs. */
  async adapt(lagMs: number): Promise<void> {
    const { isPaused } = this.#options.gate.decide(lagMs);
    this.#followGate();
    await this.#setPaused('limited', isPaused);
  }

  /** Takes no more; resolves when what is in hand has ended. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#slots.close();
    // A pause that failed was reported to whoever asked for it; the end is not held up by it.
    await Promise.allSettled([this.#pausing]);
    await this.#consumer?.close();
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }

  /** One change after another: two that crossed could leave the consumer in the state of the older one. */
  #setPaused(reason: PauseReason, isPaused: boolean): Promise<void> {
    if (this.#isStopping || this.#pausedBy.has(reason) === isPaused) return Promise.resolve();
    const was = this.#pausedBy.size > 0;
    if (isPaused) this.#pausedBy.add(reason);
    else this.#pausedBy.delete(reason);
    const is = this.#pausedBy.size > 0;
    if (was === is) return Promise.resolve();
    const changing = this.#pausing.then(() => (is ? this.#consumer?.pause() : this.#consumer?.resume()));
    // The next change comes after this one, whatever becomes of it.
    this.#pausing = changing.catch(() => undefined);
    return changing;
  }

  /** A token of this process: taken when a slot is free at this moment. */
  #takeLocally(wakeUp: WakeUp): boolean {
    if (this.#isStopping || this.#pausedBy.size > 0 || !this.#slots.tryTake()) return false;
    this.#keep(
      this.#claim(wakeUp).then((claimed) => (claimed === undefined ? undefined : this.#work(claimed))),
    );
    return true;
  }

  /** Claims with a slot in hand, which is free again when there was nothing to claim, or when the run is durable. */
  async #claim(wakeUp: WakeUp): Promise<SlottedRun | undefined> {
    const { runner, gate } = this.#options;
    const release = once(() => this.#slots.release());
    try {
      const run = await runner.claim(this.#stage, wakeUp, release);
      if (run === undefined) release();
      else gate.runBegan();
      return run === undefined ? undefined : { run, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  async #work({ run, release }: SlottedRun): Promise<void> {
    const { runner, gate } = this.#options;
    try {
      await runner.work(run);
    } finally {
      gate.runEnded();
      release();
      this.#followGate();
    }
  }

  /** Goes on without anybody waiting for it but the end of the worker. */
  #keep(work: Promise<void>): void {
    const kept = work
      .catch((error: unknown) => this.#complain(error))
      .finally(() => this.#running.delete(kept));
    this.#running.add(kept);
  }

  #followGate(): void {
    const { gate, metrics } = this.#options;
    if (gate.concurrency === this.#slots.capacity) return;
    this.#slots.setCapacity(gate.concurrency);
    const { owner, name: stage } = this.definition;
    metrics.set('worker_concurrency', { owner, stage }, gate.concurrency);
  }

  #complain(error: unknown): void {
    // The message keeps its lease until that runs out; then the sweeper wakes it again.
    const suppressed = this.#pace.suppressedBefore(kindOfError(error));
    if (suppressed === undefined) return;
    this.#options.logger.error(
      { error, stage: this.definition.name, suppressed },
      'a wake-up call failed; the sweeper brings the message back',
    );
  }
}

function once(act: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    act();
  };
}
