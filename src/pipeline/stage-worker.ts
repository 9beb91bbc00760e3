import type { QueueConsumer, QueueDriver } from '../drivers/queue/queue.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from '../telemetry/metrics.ts';
import type { MessageRunner } from './message-runner.ts';
import type { StageGate } from './stage-gate.ts';
import type { RegisteredStage } from './stage-registry.ts';

export interface StageWorkerOptions {
  readonly queues: QueueDriver;
  readonly runner: MessageRunner;
  /** How many messages at once, and whether any. */
  readonly gate: StageGate;
  readonly logger: Logger;
  readonly metrics: MillraceMetrics;
}

/** Takes a stage's wake-up calls from its queue and runs them, as many at once as its gate allows. */
export class StageWorker {
  readonly #stage: RegisteredStage;
  readonly #options: StageWorkerOptions;
  #consumer: QueueConsumer | undefined;
  #concurrency = 0;
  #isPaused = false;
  #adapting: Promise<void> | undefined;

  constructor(stage: RegisteredStage, options: StageWorkerOptions) {
    this.#stage = stage;
    this.#options = options;
  }

  async start(): Promise<void> {
    const { queues, runner, logger, gate } = this.#options;
    const { name: stage } = this.#stage.definition;
    this.#applyConcurrency();
    this.#showActive();
    this.#consumer = await queues.queue(stage).consume(
      async (wakeUp) => {
        gate.runBegan();
        this.#showActive();
        try {
          await runner.run(this.#stage, wakeUp);
        } finally {
          gate.runEnded();
          this.#showActive();
          this.#applyConcurrency();
        }
      },
      // The message keeps its lease until that runs out; then the sweeper wakes it again.
      {
        concurrency: gate.concurrency,
        onError: (error) =>
          logger.error({ error, stage }, 'a wake-up call failed; the sweeper brings the message back'),
      },
    );
  }

  /** Follows what its gate decides by what it has seen. `lagMs` is how late the event loop runs. */
  async adapt(lagMs: number): Promise<void> {
    this.#adapting = this.#adapt(lagMs);
    await this.#adapting;
  }

  /** Takes no more; resolves when what is in hand has ended. */
  async stop(): Promise<void> {
    const consumer = this.#consumer;
    this.#consumer = undefined;
    // A pause that failed was reported to whoever asked for it; the end is not held up by it.
    await Promise.allSettled([this.#adapting]);
    await consumer?.close();
  }

  async #adapt(lagMs: number): Promise<void> {
    const consumer = this.#consumer;
    if (consumer === undefined) return;
    const { isPaused } = this.#options.gate.decide(lagMs);
    this.#applyConcurrency();
    if (isPaused === this.#isPaused) return;
    await (isPaused ? consumer.pause() : consumer.resume());
    this.#isPaused = isPaused;
  }

  #applyConcurrency(): void {
    const { gate, metrics } = this.#options;
    if (gate.concurrency === this.#concurrency) return;
    this.#concurrency = gate.concurrency;
    this.#consumer?.setConcurrency(this.#concurrency);
    const { owner, name: stage } = this.#stage.definition;
    metrics.set('worker_concurrency', { owner, stage }, this.#concurrency);
  }

  #showActive(): void {
    const { owner, name: stage } = this.#stage.definition;
    this.#options.metrics.set('worker_active', { owner, stage }, this.#options.gate.active);
  }
}
