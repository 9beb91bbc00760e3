import { releaseCount } from './budget-room.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { BudgetLedger } from './budget-ledger.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Publisher } from '../../engine/pipeline/publisher.ts';
import type { StageRegistry } from '../../engine/pipeline/stage-registry.ts';

/*
 * Lets messages go on that wait for a budget which has room again: its window turned, its limit was raised, calls in
 * the air cost less than was reserved for them, or it is gone. Never all at once: as many as may fit go on and ask
 * again; whoever does not fit waits again behind the others.
 */

export interface BudgetReleaserOptions {
  readonly ledger: BudgetLedger;
  readonly publisher: Publisher;
  readonly registry: StageRegistry;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How many messages one turn releases that wait for a budget which holds no more. */
const sliceSize = 1000;

export class BudgetReleaser {
  readonly #options: BudgetReleaserOptions;
  readonly #releasedMs = new Map<string, number>();

  constructor(options: BudgetReleaserOptions) {
    this.#options = options;
  }

  /** One look at what is waited for. True when there is more to do at once. */
  async release(): Promise<boolean> {
    const { ledger, clock } = this.#options;
    const waitedFor = await ledger.waitedFor();
    if (waitedFor.length === 0) return false;
    const states = new Map((await ledger.read()).map((state) => [state.name, state]));
    let hasMore = false;
    for (const name of waitedFor) {
      const state = states.get(name);
      const sinceMs = clock.monotonicMs() - (this.#releasedMs.get(name) ?? -Infinity);
      const count = state === undefined ? sliceSize : releaseCount(state, sinceMs);
      if (count === 0) continue;
      const released = await this.#releaseSome(name, count);
      hasMore ||= state === undefined && released === count;
    }
    return hasMore;
  }

  async #releaseSome(name: string, count: number): Promise<number> {
    const { ledger, publisher, registry, clock, logger } = this.#options;
    const messages = await ledger.release(name, count);
    this.#releasedMs.set(name, clock.monotonicMs());
    logger.debug({ budget: name, messages: messages.length }, 'messages that waited for a budget go on');
    for (const message of messages) {
      // As the sweeper does: a maintenance process notifies the stages that it was given.
      if (registry.find(message.stage) !== undefined) publisher.notify(message.stage, message.id);
    }
    return messages.length;
  }
}
