import type { Clock } from '../kernel/clock.ts';

/** How often a fault of one kind may be said, and how many kinds are distinguished. */
const intervalMs = 10_000;
const capacity = 1000;

interface Said {
  readonly atMs: number;
  suppressed: number;
}

/**
 * Lets one line of a kind through in an interval, so that a server that refuses everything fills no disk with its
 * refusals. Remembers a bounded number of kinds: the one said longest ago is forgotten first.
 */
export class LogPace {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #said = new Map<string, Said>();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** Undefined: say nothing. Otherwise say it, and how many of the kind were left out since the last. */
  suppressedBefore(kind: string): number | undefined {
    const nowMs = this.#clock.monotonicMs();
    const last = this.#said.get(kind);
    if (last !== undefined && nowMs - last.atMs < intervalMs) {
      last.suppressed += 1;
      return undefined;
    }
    this.#said.delete(kind);
    this.#forgetOldest();
    this.#said.set(kind, { atMs: nowMs, suppressed: 0 });
    return last?.suppressed ?? 0;
  }

  #forgetOldest(): void {
    if (this.#said.size < capacity) return;
    for (const oldest of this.#said.keys()) {
      this.#said.delete(oldest);
      return;
    }
  }
}

/** What makes two errors the same fault: the name, the code, and the first word of the text (READONLY, OOM, MISCONF). */
export function kindOfError(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return `${error.name} ${code} ${error.message.split(/\s/, 1)[0] ?? ''}`.slice(0, 200);
}
