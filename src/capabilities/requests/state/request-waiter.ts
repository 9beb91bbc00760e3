import type { Clock } from '../../../kernel/clock.ts';
import { GroupCommit } from '../../../kernel/group-commit.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import type { BoundRegistry } from '../../../telemetry/bounds.ts';
import { Peak } from '../../../telemetry/bounds.ts';
import type { RequestEnds } from './request-ends.ts';
import type { RequestStore } from './request-store.ts';

const firstPauseMs = 50;
const longestPauseMs = 500;

export interface RequestWaiterOptions {
  readonly store: Pick<RequestStore, 'listEndedAmong'>;
  /** What ends in this process. */
  readonly ends: RequestEnds;
  readonly clock: Clock;
  /** How many may wait at once. */
  readonly maxWaits: number;
  readonly bounds?: BoundRegistry<'request_waits'>;
}

/**
 * Waits for requests to end: told at once of what ends in this process, else by asking the ledger ever less often, all who wait in one statement. One more
 * than may wait is answered without waiting: a preference is no promise.
 */
export class RequestWaiter {
  readonly #options: RequestWaiterOptions;
  readonly #asked: GroupCommit<Uuid, boolean>;
  readonly #peak = new Peak();
  #waits = 0;

  constructor(options: RequestWaiterOptions) {
    this.#options = options;
    const { store, clock, maxWaits, bounds } = options;
    this.#asked = new GroupCommit({
      name: 'request_waits',
      clock,
      maxGroup: 1000,
      flush: async (ids: readonly Uuid[]) => {
        const ended = await store.listEndedAmong([...new Set(ids)]);
        return ids.map((id) => ended.has(id));
      },
    });
    bounds?.register('request_waits', { limit: maxWaits, takePeak: () => this.#peak.take(this.#waits) });
  }

  /** How many wait. */
  get waits(): number {
    return this.#waits;
  }

  /** Resolves when the request has ended (true), or when the time is over or the signal aborts (false). False at once when too many wait. */
  async wait(
    id: Uuid,
    { waitMs, signal }: { readonly waitMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<boolean> {
    if (waitMs <= 0 || this.#waits >= this.#options.maxWaits) return false;
    this.#waits += 1;
    this.#peak.note(this.#waits);
    try {
      return await this.#until(id, waitMs, signal);
    } finally {
      this.#waits -= 1;
    }
  }

  async #until(id: Uuid, waitMs: number, signal: AbortSignal | undefined): Promise<boolean> {
    const { ends, clock } = this.#options;
    const deadlineMs = clock.monotonicMs() + waitMs;
    let isTold = false;
    let wake: () => void = () => undefined;
    const silence = ends.listen(id, () => {
      isTold = true;
      wake();
    });
    try {
      for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
        if (isTold || (await this.#asked.submit(id))) return true;
        const leftMs = deadlineMs - clock.monotonicMs();
        if (leftMs <= 0 || signal?.aborted === true) return false;
        const { promise, resolve } = Promise.withResolvers<void>();
        const stop = (): void => resolve();
        wake = stop;
        const timer = clock.startTimer(Math.min(pauseMs, leftMs), stop);
        signal?.addEventListener('abort', stop, { once: true });
        // What was told while the ledger was asked woke nobody.
        if (!isTold) await promise;
        timer.close();
        signal?.removeEventListener('abort', stop);
      }
    } finally {
      silence();
    }
  }
}
