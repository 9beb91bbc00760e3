import type { Clock } from '../../kernel/clock.ts';
import { EventLoopTurn } from '../../kernel/event-loop-turn.ts';

/*
 * Requests are begun one after the other, a few milliseconds' worth in each turn of the event loop: thousands that come at
 * once would otherwise all be begun in one, and the health check would be answered after them. Each is begun in a
 * callback of its own, so that what follows from it at once is counted with it.
 */

/** At most so many are begun between two looks at the network. */
const mostInTurn = 16;
const mostWaiting = 5_000;

export class RequestTurns {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #waiting: (() => void)[] = [];
  #turn: EventLoopTurn | undefined;
  #isPumping = false;
  #peak = 0;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** How many may wait to be begun. */
  get limit(): number {
    return mostWaiting;
  }

  /** The most that waited at once since this was asked last. */
  takePeak(): number {
    const peak = this.#peak;
    this.#peak = this.#waiting.length;
    return peak;
  }

  /** Begins the work in this turn if there is time, or in a later one: first come, first served. False when too many wait. */
  take(begin: () => void): boolean {
    if (this.#waiting.length === 0 && !this.#current().isOver) {
      begin();
      return true;
    }
    if (this.#waiting.length >= mostWaiting) return false;
    this.#waiting.push(begin);
    this.#peak = Math.max(this.#peak, this.#waiting.length);
    this.#pump();
    return true;
  }

  #current(): EventLoopTurn {
    if (this.#turn === undefined) {
      this.#turn = new EventLoopTurn(this.#clock);
      setImmediate(() => {
        this.#turn = undefined;
      });
    }
    return this.#turn;
  }

  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    const turn = new EventLoopTurn(this.#clock);
    for (let left = Math.min(this.#waiting.length, mostInTurn); left > 0; left -= 1) {
      setImmediate(() => {
        if (!turn.isOver) this.#waiting.shift()?.();
        if (left > 1) return;
        this.#isPumping = false;
        if (this.#waiting.length > 0) this.#pump();
      });
    }
  }
}
