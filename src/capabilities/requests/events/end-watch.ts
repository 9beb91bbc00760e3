import type { Clock } from '../../../kernel/clock.ts';
import { GroupCommit } from '../../../kernel/group-commit.ts';
import type { Uuid } from '../../../kernel/ids.ts';

const firstPauseMs = 250;
const longestPauseMs = 5000;

export interface EndWatchOptions {
  /** Which of these have ended, by the ledger. */
  readonly listEndedAmong: (ids: readonly Uuid[]) => Promise<ReadonlySet<Uuid>>;
  /** Calls back when a request has ended in this process, until the returned function is called. */
  readonly listen: (id: Uuid, listener: () => void) => () => void;
  readonly clock: Clock;
}

/**
 * Knows when requests have ended, whatever became of their logs: told of what ends in this process, else by asking the ledger
 * ever less often, for all streams in one statement.
 */
export class EndWatch {
  readonly #options: EndWatchOptions;
  readonly #asked: GroupCommit<Uuid, boolean>;

  constructor(options: EndWatchOptions) {
    this.#options = options;
    this.#asked = new GroupCommit({
      name: 'stream_ends',
      clock: options.clock,
      maxGroup: 1000,
      flush: async (ids: readonly Uuid[]) => {
        const ended = await options.listEndedAmong([...new Set(ids)]);
        return ids.map((id) => ended.has(id));
      },
    });
  }

  /** Resolves when the request has ended, true, or the signal aborts, false. A ledger that is away is asked again. */
  async ended(id: Uuid, signal: AbortSignal): Promise<boolean> {
    const { clock, listen } = this.#options;
    let isTold = false;
    let wake: () => void = () => undefined;
    const onAbort = (): void => wake();
    const silence = listen(id, () => {
      isTold = true;
      wake();
    });
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      for (let pauseMs = firstPauseMs; !signal.aborted; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
        if (isTold || (await this.#asked.submit(id).catch(() => false))) return true;
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        const timer = clock.startTimer(pauseMs, resolve);
        // What was told, or stopped, while the ledger was asked woke nobody.
        if (!isTold && !signal.aborted) await promise;
        timer.close();
      }
      return isTold;
    } finally {
      signal.removeEventListener('abort', onAbort);
      silence();
    }
  }
}
