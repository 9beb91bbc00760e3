import { type Hold, parkedForHold } from '../ledger/hold.ts';
import type { Holds } from '../ledger/holds.ts';
import type { ParkedMessages } from '../ledger/parked-messages.ts';
import type { MillraceMetrics } from '../telemetry/metrics.ts';
import type { Publisher } from './publisher.ts';

/*
 * The relay's part of holds: due messages of a held origin are parked, so that they stand in nobody's way, and what is
 * parked for a hold that no longer stands is released and woken. It asks the ledger each time what is so; whoever dies between
 * lifting a hold and releasing the last message leaves the rest to the next turn.
 */

export interface HoldKeeperOptions {
  readonly holds: Pick<Holds, 'read'>;
  readonly parked: ParkedMessages;
  readonly publisher: Pick<Publisher, 'notify' | 'drain'>;
  readonly metrics: MillraceMetrics;
}

const sliceSize = 1000;
export class HoldKeeper {
  readonly #options: HoldKeeperOptions;

  constructor(options: HoldKeeperOptions) {
    this.#options = options;
  }

  /** One turn. True when there is more to park or to release at once. */
  async keep(): Promise<boolean> {
    const { holds, parked } = this.#options;
    // In this order: what is parked for a hold that is placed between the two looks is not taken for forgotten.
    const names = await parked.names();
    const standing = await holds.read();
    const held = new Set(standing.map(({ id }) => parkedForHold(id)));
    let hasMore = false;
    for (const name of names) {
      if (name.startsWith('hold:') && !held.has(name)) hasMore = (await this.#release(name)) || hasMore;
    }
    if (standing.some(isOnOrigin)) hasMore = (await this.#park()) || hasMore;
    return hasMore;
  }

  async #release(name: string): Promise<boolean> {
    const { parked, publisher } = this.#options;
    const released = await parked.release(name, sliceSize);
    for (const message of released) publisher.notify(message.stage, message.id);
    await publisher.drain();
    return released.length === sliceSize;
  }

  async #park(): Promise<boolean> {
    const { parked, metrics } = this.#options;
    const messages = await parked.parkHeld(sliceSize);
    for (const { owner, stage } of messages)
      metrics.increment('messages_parked_total', { owner, stage, reason: 'hold' });
    return messages.length === sliceSize;
  }
}

function isOnOrigin({ scope }: Hold): boolean {
  return scope === 'team' || scope === 'customer' || scope === 'feature' || scope === 'batch';
}
