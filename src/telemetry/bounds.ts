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

/** Where owners tell of what they bound, by the names that they declare. */
export interface BoundRegistry<Name extends string> {
  readonly register: (bound: Name, level: BoundLevel) => void;
}

/** The bounds of one process. */
export class Bounds<Name extends string> implements BoundRegistry<Name> {
  readonly #levels = new Map<Name, BoundLevel[]>();

  /** Several things may stand under one name, as a stage's queues do: the fullest counts. */
  register(bound: Name, level: BoundLevel): void {
    const levels = this.#levels.get(bound);
    if (levels === undefined) this.#levels.set(bound, [level]);
    else levels.push(level);
  }

  /** How much of each bound was used, 0 to 1. */
  read(): ReadonlyMap<Name, number> {
    const ratios = new Map<Name, number>();
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
