import type { EngineBounds } from '../metrics/engine-bounds.ts';
import { withConcurrency } from './stage-definition.ts';
import type { RegisteredStage } from './stage-registry.ts';
import type { StageWorker } from './stage-worker.ts';

export interface StageWorkersOptions {
  readonly makeWorker: (stage: RegisteredStage) => StageWorker;
  /** Ends workers, in a time that is bounded. */
  readonly stopWorkers: (workers: readonly StageWorker[]) => Promise<void>;
  readonly bounds: EngineBounds;
  /** For all stages, in place of what each says. */
  readonly concurrency: number | undefined;
  /** How late the event loop has run since it was asked last. */
  readonly readLagMs: () => number;
}

/** The workers of all stages in this process. */
export class StageWorkers {
  readonly #options: StageWorkersOptions;
  #workers: readonly StageWorker[] = [];

  constructor(options: StageWorkersOptions) {
    this.#options = options;
  }

  get all(): readonly StageWorker[] {
    return this.#workers;
  }

  async start(stages: readonly RegisteredStage[]): Promise<void> {
    const { makeWorker, concurrency, bounds } = this.#options;
    this.#workers = stages.map(({ definition, handler }) =>
      makeWorker({ definition: withConcurrency(definition, concurrency), handler }),
    );
    for (const worker of this.#workers) bounds.register('worker_slots', worker.bound);
    for (const worker of this.#workers) await worker.start();
  }

  /** Lets every worker follow its gate; there never is more to do at once. */
  async adapt(): Promise<false> {
    const lagMs = this.#options.readLagMs();
    for (const worker of this.#workers) await worker.adapt(lagMs);
    return false;
  }

  /** Takes no more; resolves when what is in progress has ended, or has been left behind. */
  async stop(): Promise<void> {
    await this.#options.stopWorkers(this.#workers);
  }
}
