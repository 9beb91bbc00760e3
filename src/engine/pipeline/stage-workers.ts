import type { LeaseKeeper } from './lease-keeper.ts';
import { withConcurrency } from './stage-definition.ts';
import type { StageGates } from './stage-gates.ts';
import type { RegisteredStage } from './stage-registry.ts';
import { StageWorker, type StageWorkerOptions } from './stage-worker.ts';
import { stopWorkers } from './stop-workers.ts';

export interface StageWorkersOptions extends Omit<StageWorkerOptions, 'gate'> {
  readonly gates: StageGates;
  readonly keeper: LeaseKeeper;
  /** How long handlers may go on after `stop`. */
  readonly graceMs: number;
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
    const { gates, concurrency } = this.#options;
    this.#workers = stages.map(({ definition: asDefined, handler }) => {
      const definition = withConcurrency(asDefined, concurrency);
      return new StageWorker({ definition, handler }, { ...this.#options, gate: gates.open(definition) });
    });
    for (const worker of this.#workers) await worker.start();
  }

  /** Lets every worker follow its gate; there never is more to do at once. */
  async adapt(): Promise<false> {
    const lagMs = this.#options.readLagMs();
    for (const worker of this.#workers) await worker.adapt(lagMs);
    return false;
  }

  /** Takes no more; resolves when what is in hand has ended, or has been left behind. */
  async stop(): Promise<void> {
    await stopWorkers({ ...this.#options, workers: this.#workers });
  }
}
