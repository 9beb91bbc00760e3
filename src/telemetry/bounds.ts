/** Everything bounded whose level can be read; docs/bounds.md says where each limit is set and what happens at it. */
export const boundNames = [
  'ledger_admit',
  'ledger_claim',
  'ledger_finish',
  'ledger_fail',
  'ledger_reserve',
  'ledger_settle',
  'limit_takes',
  'limit_corrections',
  'limit_waits',
  'watched_models',
  'outbox',
  'export_batch',
  'database_connections',
  'worker_slots',
  'metric_series',
  'trace_spans',
  'http_requests',
  'http_body_bytes',
  'http_turns',
  'cost_reports',
] as const;
export type BoundName = (typeof boundNames)[number];

/** Bounds that are there to be used up: full, they only say that there is work. Alerts leave them out. */
export const boundsFullUnderLoad: readonly BoundName[] = ['export_batch', 'worker_slots'];

/** One thing that is bounded. */
export interface BoundLevel {
  /** The most that there may be at present. */
  readonly limit: number;
  /** The most that there was at once since the last reading, or what there is now where that says enough. */
  takePeak(): number;
}

/** Keeps the highest level between two readings. */
export class Peak {
  #highest = 0;

  note(level: number): void {
    if (level > this.#highest) this.#highest = level;
  }

  /** The highest level since the last reading; the next reading begins at what there is now. */
  take(present: number): number {
    const highest = Math.max(this.#highest, present);
    this.#highest = present;
    return highest;
  }
}

/** The bounds of one process. */
export class Bounds {
  readonly #levels = new Map<BoundName, BoundLevel[]>();

  /** Several things may stand under one name, as a stage's queues do: the fullest counts. */
  register(bound: BoundName, level: BoundLevel): void {
    const levels = this.#levels.get(bound);
    if (levels === undefined) this.#levels.set(bound, [level]);
    else levels.push(level);
  }

  /** How much of each bound was used, 0 to 1. */
  read(): ReadonlyMap<BoundName, number> {
    const ratios = new Map<BoundName, number>();
    for (const [bound, levels] of this.#levels) {
      ratios.set(bound, Math.max(...levels.map((level) => usedRatio(level))));
    }
    return ratios;
  }
}

function usedRatio(level: BoundLevel): number {
  const peak = level.takePeak();
  if (peak <= 0) return 0;
  return Math.min(1, level.limit <= 0 ? 1 : peak / level.limit);
}
