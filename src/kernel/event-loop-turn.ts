import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from './clock.ts';

/*
 * Work that is long because somebody sent much of it must not hold the event loop: between its pieces it asks whether its
 * turn is over, and if so lets everything else that is due run first. Pieces that are short cost a look at the clock.
 */

/** Longer than this nothing runs before others have their turn. */
const turnMs = 8;
/** JSON shorter than this is read and written in less than a turn, whatever it holds. */
export const longTextBytes = 65_536;

let latest: Promise<void> = Promise.resolve();

/** Resolves in a turn of the event loop in which nothing else that asked for one goes on. */
export function ownTurn(): Promise<void> {
  latest = latest.then(() => nextTurn());
  return latest;
}

export class EventLoopTurn {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #beganMs: number;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
    this.#beganMs = clock.monotonicMs();
  }

  /** Whether it has lasted long enough. */
  get isOver(): boolean {
    return this.#clock.monotonicMs() - this.#beganMs >= turnMs;
  }

  /** Lets others run, and begins anew. */
  async giveWay(): Promise<void> {
    await ownTurn();
    this.#beganMs = this.#clock.monotonicMs();
  }
}
