import type { Clock } from '../../kernel/clock.ts';
import type { StageDefinition } from './stage-definition.ts';
import { StageCapacity } from './stage-capacity.ts';

/** The gates of all stages that this process works on, for those who only know a stage's name. */
export class StageCapacities {
  readonly #clock: Clock;
  readonly #gates = new Map<string, StageCapacity>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Makes the gate of a stage. */
  open({ name, concurrency, minConcurrency, startConcurrency }: StageDefinition): StageCapacity {
    const gate = new StageCapacity({
      bounds: { min: minConcurrency, max: concurrency },
      startAt: startConcurrency,
      // A number was chosen; bounds were given to be moved in.
      followsLag: startConcurrency < concurrency,
      clock: this.#clock,
    });
    this.#gates.set(name, gate);
    return gate;
  }

  /** The gate of a stage that this process works on. */
  find(stage: string): StageCapacity | undefined {
    return this.#gates.get(stage);
  }
}
