import type { LedgerCounts } from '../../../engine/ledger/ledger-counts.ts';
import type { StageBacklog } from '../../../engine/ledger/stage-backlog.ts';
import type { Clock } from '../../../kernel/clock.ts';

/** What waits at a stage, and how fast it goes. */
export interface StageQueue {
  /** Messages that wait, for whatever. */
  readonly waiting: number;
  /** Messages that end in a second, over all processes. */
  readonly endsPerSecond: number;
}

const keptMs = 1000;
const waitingKinds = new Set(['ready', 'delayed', 'parked']);

/** What waits at each stage, read at most once a second, however many ask. */
export class StageQueues {
  readonly #counts: Pick<LedgerCounts, 'read'>;
  readonly #backlog: Pick<StageBacklog, 'endRates'>;
  readonly #clock: Clock;
  #read: { readonly atMs: number; readonly queues: Promise<ReadonlyMap<string, StageQueue>> } | undefined;

  constructor(counts: Pick<LedgerCounts, 'read'>, backlog: Pick<StageBacklog, 'endRates'>, clock: Clock) {
    this.#counts = counts;
    this.#backlog = backlog;
    this.#clock = clock;
  }

  /** Of a stage where nothing waits and nothing ended of late, nothing. Throws what the ledger throws. */
  async of(stage: string): Promise<StageQueue> {
    const nowMs = this.#clock.monotonicMs();
    let read = this.#read;
    if (read === undefined || nowMs - read.atMs >= keptMs) {
      read = { atMs: nowMs, queues: this.#readAll() };
      this.#read = read;
    }
    try {
      return (await read.queues).get(stage) ?? { waiting: 0, endsPerSecond: 0 };
    } catch (error) {
      // The next who asks reads again.
      if (this.#read === read) this.#read = undefined;
      throw error;
    }
  }

  async #readAll(): Promise<ReadonlyMap<string, StageQueue>> {
    const [counts, rates] = await Promise.all([this.#counts.read(), this.#backlog.endRates()]);
    const waiting = new Map<string, number>();
    for (const { stage, kind, count } of counts)
      if (waitingKinds.has(kind)) waiting.set(stage, (waiting.get(stage) ?? 0) + count);
    const stages = new Set([...waiting.keys(), ...rates.keys()]);
    return new Map(
      [...stages].map((stage) => [
        stage,
        { waiting: waiting.get(stage) ?? 0, endsPerSecond: rates.get(stage) ?? 0 },
      ]),
    );
  }
}
