import type { QueueConsumer, QueueDriver } from '../drivers/queue/queue.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from '../telemetry/metrics.ts';
import type { MessageRunner } from './message-runner.ts';
import type { StageDefinition } from './stage-definition.ts';
import type { RegisteredStage } from './stage-registry.ts';

export interface StageWorkerOptions {
  readonly queues: QueueDriver;
  readonly runner: MessageRunner;
  readonly logger: Logger;
  readonly metrics: MillraceMetrics;
}

/** Takes a stage's wake-up calls from its queue and runs them, as many at once as the stage allows. */
export class StageWorker {
  readonly #stage: RegisteredStage;
  readonly #options: StageWorkerOptions;
  #consumer: QueueConsumer | undefined;
  #active = 0;
  #isPaused = false;
  #isStopping = false;

  constructor(stage: RegisteredStage, options: StageWorkerOptions) {
    this.#stage = stage;
    this.#options = options;
  }

  async start(): Promise<void> {
    const { queues, runner, logger, metrics } = this.#options;
    const { name: stage, owner, concurrency } = this.#stage.definition;
    metrics.set('worker_concurrency', { owner, stage }, concurrency);
    metrics.set('worker_active', { owner, stage }, 0);
    this.#consumer = await queues.queue(stage).consume(
      async (wakeUp) => {
        this.#setActive(this.#active + 1);
        try {
          await runner.run(this.#stage, wakeUp);
        } finally {
          this.#setActive(this.#active - 1);
        }
      },
      // The message keeps its lease until that runs out; then the sweeper wakes it again.
      {
        concurrency,
        onError: (error) =>
          logger.error({ error, stage }, 'a wake-up call failed; the sweeper brings the message back'),
      },
    );
    if (this.#isPaused) await this.#consumer.pause();
  }

  get definition(): StageDefinition {
    return this.#stage.definition;
  }

  /** Takes no wake-up calls while the stage is paused; what is in hand goes on. */
  async setPaused(isPaused: boolean): Promise<void> {
    if (this.#isStopping || this.#isPaused === isPaused) return;
    await (isPaused ? this.#consumer?.pause() : this.#consumer?.resume());
    this.#isPaused = isPaused;
  }

  /** Takes no more; resolves when what is in hand has ended. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#consumer?.close();
  }

  #setActive(active: number): void {
    const { owner, name: stage } = this.#stage.definition;
    this.#active = active;
    this.#options.metrics.set('worker_active', { owner, stage }, active);
  }
}
