import { type Block, parkedForPause } from '../../engine/ledger/block.ts';
import type { Blocks } from '../../engine/ledger/blocks.ts';
import type { ParkedMessages, ReadyPlace } from '../../engine/ledger/parked-messages.ts';
import type { PauseMetrics } from './pause-metrics.ts';
import type { Publisher } from '../../engine/pipeline/publisher.ts';
import type { StageRegistry } from '../../engine/pipeline/stage-registry.ts';

/*
 * The maintenance role's part of pauses: due messages of a paused origin are parked, so that they stand in nobody's way, and what is
 * parked for a pause that no longer stands is released and notified, with every stage. It asks the ledger each time what is so; whoever dies between
 * ending a pause and releasing the last message leaves the rest to the next turn.
 */

export interface PauseReleaserOptions {
  readonly blocks: Pick<Blocks, 'read'>;
  readonly parked: ParkedMessages;
  readonly publisher: Pick<Publisher, 'notify' | 'notifyOthers' | 'drain'>;
  readonly registry: Pick<StageRegistry, 'stages'>;
  readonly metrics: PauseMetrics;
}

const sliceSize = 1000;
/** How many messages one turn looks at: it costs the same however many wait. */
const lookSize = 2000;

export class PauseReleaser {
  readonly #options: PauseReleaserOptions;
  #next: ReadyPlace | undefined;
  #standing: ReadonlySet<string> = new Set();

  constructor(options: PauseReleaserOptions) {
    this.#options = options;
  }

  /** One turn. True when there is more to park or to release at once. */
  async release(): Promise<boolean> {
    const { blocks, parked, registry, publisher } = this.#options;
    // In this order: what is parked for a pause that is placed between the two looks is not taken for forgotten.
    const names = await parked.names();
    const standing = await blocks.read();
    const paused = new Set(standing.map(({ id }) => parkedForPause(id)));
    // Messages that nobody put aside were in no notification while they were paused: their stages are notified now.
    if ([...this.#standing].some((name) => !paused.has(name)))
      for (const { definition } of registry.stages) publisher.notifyOthers(definition.name);
    this.#standing = paused;
    let hasMore = false;
    for (const name of names) {
      if (name.startsWith('pause:') && !paused.has(name)) hasMore = (await this.#release(name)) || hasMore;
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

  /** A walk through what is ready, a part a turn; at once again while parts hold something to park. */
  async #park(): Promise<boolean> {
    const { parked, metrics } = this.#options;
    const found = await parked.parkBlocked(lookSize, this.#next);
    this.#next = found.next;
    for (const { owner, stage } of found.parked)
      metrics.increment('messages_parked_total', { owner, stage, reason: 'pause' });
    return found.parked.length > 0 && found.next !== undefined;
  }
}

function isOnOrigin({ scope }: Block): boolean {
  return scope === 'team' || scope === 'customer' || scope === 'feature' || scope === 'batch';
}
